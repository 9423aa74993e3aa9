"""
What a recorder takes of an offer: one decision for each media line.

The rules are those of RFC 3264 section 6 as RFC 7866 sections 7.2 and 8 narrow them: a
recording server only ever receives, so its answer to a line is C{recvonly}, C{inactive}
or port 0.
"""

from collections.abc import Sequence

from attrs import evolve, frozen

from siprec.sdp.crypto import SUITES, CryptoLine, chooseCrypto, offeredLines
from siprec.sdp.model import (
    STATIC_CODECS,
    Codec,
    Media,
    Origin,
    SessionDescription,
    boundedNumber,
)

Address = tuple[str, int]

# Formats that go along with a codec and are worth nothing alone (RFC 4733, RFC 3389).
_COMPANIONS = frozenset(("telephone-event", "cn"))

# a=crypto on these is what some clients call optional SRTP: they send in the clear to who
# does not take the keys up.
_CLEAR = frozenset(("RTP/AVP", "RTP/AVPF"))
_SECURE = frozenset(("RTP/SAVP", "RTP/SAVPF"))
_DTLS = frozenset(("UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"))

#: The directions of a peer that sends.
SENDING = frozenset(("sendonly", "sendrecv"))

# What an offer of ours has, in order of preference: G.711, what static payload types
# (RFC 3551) stand for besides, and a dynamic one for telephone events.
_OFFERED = (
    *(Codec(number, *STATIC_CODECS[number]) for number in (8, 0, 9, 18, 3, 13)),
    Codec(101, "telephone-event", 8000, fmtp="0-15"),
)


@frozen
class Policy:
    """
    What may be recorded.

    @ivar codecs: encoding names in lower case, of what is decoded afterwards; only audio
        is recorded.
    @ivar keeps: a line without any of them is taken, too: its packets are kept.
    @ivar receiving: false answers every line C{inactive}: the recorder is not ready yet,
        or the recording is paused (RFC 7866 section 7.2).
    @ivar maxStreams: how many lines of one offer are taken; each costs a pair of ports.
    @ivar srtp: C{"require"}: only SRTP with keys in the description is taken;
        C{"allow"}: also media in the clear; C{"refuse"}: only that.
    @ivar source: whose packets are recorded, C{"latch"}, C{"sdp"} or C{"any"}.
    @ivar suites: the crypto suites that are taken, in the order in which to offer them.
    """

    codecs: tuple[str, ...] = ("pcmu", "pcma", "telephone-event", "cn")
    receiving: bool = True
    maxStreams: int = 64
    keeps: bool = False
    srtp: str = "allow"
    source: str = "latch"
    suites: tuple[str, ...] = tuple(SUITES)

    def takes(self, codec: Codec) -> bool:
        """
        @return: whether C{codec} can be recorded.  A stream becomes one channel of the
            recording, so it has to be mono; Opus says two channels whatever it carries
            (RFC 7587 section 7).
        """
        mono = codec.channels == 1 or codec.encoding == "opus"
        return mono and codec.encoding in self.codecs and not _scrambled(codec)


@frozen
class Choice:
    """
    The decision about one media line.

    @ivar index: the line's position in the description.
    @ivar accepted: false: the line is refused with port 0.
    @ivar reason: why it is refused, for a Warning header or a log; else empty.
    @ivar codecs: the payload types taken, in the order offered.
    @ivar label: the C{a=label} offered.
    @ivar direction: of our answer: C{"recvonly"} or C{"inactive"}.
    @ivar remote: where the peer receives RTP, host (an IP literal, rarely a name) and port;
        C{None} if it is on hold by a null address or did not say.
    @ivar remoteControl: where the peer receives RTCP; C{None} like C{remote}.
    @ivar rtcpMux: whether RTP and RTCP share a port (RFC 5761).
    @ivar crypto: the C{a=crypto} that is taken, or several that we offer; empty: the
        media comes in the clear.
    """

    index: int
    accepted: bool
    reason: str = ""
    codecs: tuple[Codec, ...] = ()
    label: str | None = None
    direction: str = "inactive"
    remote: Address | None = None
    remoteControl: Address | None = None
    rtcpMux: bool = False
    crypto: tuple[CryptoLine, ...] = ()

    def refused(self, reason: str) -> "Choice":
        """
        @param reason: why the line cannot be taken after all: no free port, say.
        @return: the refusal of the same line.
        """
        return Choice(self.index, False, reason, label=self.label)


def choose(offer: SessionDescription, policy: Policy) -> tuple[Choice, ...]:
    """
    Decide about each media line of C{offer}.

    @return: one choice for each line, in the same order.
    """
    choices: list[Choice] = []
    taken = 0
    for index, media in enumerate(offer.media):
        codecs = _recordable(media, policy)
        line, why = chooseCrypto(media, policy.suites)
        reason = _refusal(media, codecs) or _insecurity(media, policy, line, why)
        if not reason and taken >= policy.maxStreams:
            reason = f"no more than {policy.maxStreams} streams are recorded"
        if reason:
            choices.append(Choice(index, False, reason, label=media.label))
            continue
        taken += 1
        # A line that the peer does not send on stays inactive (RFC 3264 section 6.1).
        sends = offer.direction(index) in SENDING
        rtcpMux = media.attribute("rtcp-mux") is not None
        remote = _remote(offer, index)
        choices.append(
            Choice(
                index,
                True,
                codecs=codecs,
                label=media.label,
                direction="recvonly" if sends and policy.receiving else "inactive",
                remote=remote,
                remoteControl=remote if rtcpMux else _remoteControl(media, remote),
                rtcpMux=rtcpMux,
                crypto=() if line is None or policy.srtp == "refuse" else (line,),
            )
        )
    return tuple(choices)


def propose(
    labels: Sequence[str | None], policy: Policy
) -> tuple[SessionDescription, tuple[Choice, ...]]:
    """
    Make up an offer, where the peer leaves it to us to make one.

    @param labels: of each audio stream, or C{None}.
    @param policy: its codecs, as far as their payload types are known, are offered.
    @return: the lines, and the decision about each; none without a codec to offer.
    """
    codecs = tuple(codec for codec in _OFFERED if policy.takes(codec))
    if _COMPANIONS.issuperset(codec.encoding for codec in codecs):
        labels = ()
    direction = "recvonly" if policy.receiving else "inactive"
    secure = policy.srtp == "require"
    crypto = offeredLines(policy.suites) if secure else ()
    choices = tuple(
        Choice(index, True, codecs=codecs, label=label, direction=direction, crypto=crypto)
        for index, label in enumerate(labels[: policy.maxStreams])
    )
    formats = tuple(str(codec.payloadType) for codec in codecs)
    media = tuple(Media("audio", 9, "RTP/SAVP" if secure else "RTP/AVP", formats) for _ in choices)
    return SessionDescription(Origin("-", 0, 0, "IP4", "0.0.0.0"), media), choices


def answered(choices: Sequence[Choice], answer: SessionDescription) -> tuple[Choice, ...]:
    """
    Bring choices up to date with the peer's answer to an offer of ours.  Payload types
    stay those of our offer: the formats of the answer are what the peer would receive
    from us, which is nothing (RFC 3264 section 6.1).  So do labels that it had.

    @param choices: what our offer was made of.
    @return: one choice for each of C{choices}, in the same order; those that a broken
        answer leaves out stay as they were.
    """
    return tuple(
        _answeredLine(choice, answer)
        if choice.accepted and choice.index < len(answer.media)
        else choice
        for choice in choices
    )


def _answeredLine(choice: Choice, answer: SessionDescription) -> Choice:
    media = answer.media[choice.index]
    if media.port == 0:
        return choice.refused("port 0 in the peer's answer")
    crypto = _answeredCrypto(choice, media)
    if choice.crypto and not crypto and media.protocol.upper() in _SECURE:
        return choice.refused("no usable a=crypto in the peer's answer")
    sends = answer.direction(choice.index) in SENDING
    rtcpMux = choice.rtcpMux and media.attribute("rtcp-mux") is not None
    remote = _remote(answer, choice.index)
    return evolve(
        choice,
        label=choice.label or media.label,
        direction=choice.direction if sends else "inactive",
        remote=remote,
        remoteControl=remote if rtcpMux else _remoteControl(media, remote),
        rtcpMux=rtcpMux,
        crypto=crypto,
    )


def _answeredCrypto(choice: Choice, media: Media) -> tuple[CryptoLine, ...]:
    """
    @return: the one of our lines that the peer has taken, with its keys; as it was, if it
        says nothing where it must (RTP/SAVP) and its keys are known.
    """
    line, _ = chooseCrypto(media, tuple(each.suite for each in choice.crypto))
    for each in choice.crypto:
        if line is not None and (each.tag, each.suite) == (line.tag, line.suite):
            return (evolve(each, keys=line.keys),)
    if media.protocol.upper() in _CLEAR:
        return ()
    return tuple(each for each in choice.crypto if each.keys)


def _recordable(media: Media, policy: Policy) -> tuple[Codec, ...]:
    """
    @return: the codecs of C{media} that are taken.  Telephone events and comfort noise
        count in the clock of the codec beside them, so they are taken only along with
        one of the same rate (RFC 4733 section 2.1, RFC 3389 section 4).
    """
    possible = [codec for codec in media.codecs if policy.takes(codec)]
    if policy.keeps and _COMPANIONS.issuperset(codec.encoding for codec in possible):
        possible = list(media.codecs)
    rates = {codec.clockRate for codec in possible if codec.encoding not in _COMPANIONS}
    return tuple(codec for codec in possible if codec.clockRate in rates)


def _scrambled(codec: Codec) -> bool:
    """
    @return: whether it is AMR in one of the ways to protect it that are not undone
        (RFC 4867 sections 4.4 and 8.1).
    """
    if codec.encoding not in ("amr", "amr-wb") or codec.fmtp is None:
        return False
    pairs = [part.partition("=") for part in codec.fmtp.lower().split(";")]
    given = {name.strip(): value.strip() for name, _, value in pairs}
    return "interleaving" in given or "1" in (given.get("crc"), given.get("robust-sorting"))


def _refusal(media: Media, codecs: tuple[Codec, ...]) -> str:
    """
    @return: why C{media} cannot be recorded; empty if it can.
    """
    protocol = media.protocol.upper()
    if media.port == 0:
        return "port 0 in the offer"
    if media.kind.lower() != "audio":
        return f"{media.kind} is not recorded"
    if protocol in _DTLS:
        return f"DTLS-SRTP ({media.protocol}) is not supported"
    if protocol not in _CLEAR | _SECURE:
        return f"transport {media.protocol} is not supported"
    if not codecs:
        return f"no codec that can be recorded among {' '.join(media.formats)[:80] or 'none'}"
    return ""


def _insecurity(media: Media, policy: Policy, line: CryptoLine | None, why: str) -> str:
    """
    @param line: its keys, or C{None}.
    @param why: why there are none.
    @return: why C{media} cannot be taken, as far as SRTP goes; empty if it can.
    """
    if media.protocol.upper() in _CLEAR:
        wanted = policy.srtp == "require" and line is None
        return f"SRTP is required ({media.protocol}: {why})" if wanted else ""
    if policy.srtp == "refuse":
        return f"SRTP ({media.protocol}) is not taken"
    return f"SRTP ({media.protocol}): {why}" if line is None else ""


def _remote(description: SessionDescription, index: int) -> Address | None:
    address = description.address(index)
    if address is None or address.null:
        return None
    return (address.address, description.media[index].port)


def _remoteControl(media: Media, remote: Address | None) -> Address | None:
    """
    @return: the peer's address for RTCP: C{a=rtcp} (RFC 3605), else the next port.
    """
    if remote is None:
        return None
    tokens = (media.attribute("rtcp") or "").split()
    port = boundedNumber(tokens[0], 65535) if tokens else None
    if port is None:
        port, tokens = remote[1] + 1, []
    host = tokens[3] if len(tokens) == 4 else remote[0]
    return (host, port) if 0 < port <= 65535 else None
