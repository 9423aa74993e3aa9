"""
Offer and answer of one dialog, and the recorded streams that follow from them
(RFC 3264; RFC 7866 section 7.2).
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, evolve, field
from twisted.logger import Logger

from siprec.ids import newSessionNumber
from siprec.media.keys import MasterKey
from siprec.media.ports import NoFreePorts
from siprec.sdp.answer import LocalMedia, makeAnswer, makeOffer
from siprec.sdp.changes import changed
from siprec.sdp.choice import SENDING, Choice, Policy, answered, choose, propose
from siprec.sdp.crypto import ownLines, withOwnKeys
from siprec.sdp.model import Media, SessionDescription
from siprec.session.live import LiveRecording, StreamRequest
from siprec.session.model import Format
from siprec.session.protecting import rekey
from siprec.uas.bodies import BadBody
from siprec.uas.reports import aimReports
from siprec.uas.senders import expectSenders

log = Logger()


# As RFC 3551 writes them; peers send them in any case.
_NAMES = {"pcmu": "PCMU", "pcma": "PCMA", "cn": "CN"}


def _formats(choice: Choice) -> tuple[Format, ...]:
    return tuple(
        Format(
            each.payloadType,
            _NAMES.get(each.encoding, each.name),
            each.clockRate,
            each.channels,
            each.fmtp,
        )
        for each in choice.codecs
    )


def _request(choice: Choice) -> StreamRequest:
    return StreamRequest(
        mediaIndex=choice.index,
        label=choice.label,
        formats=_formats(choice),
        direction=choice.direction,
        keys=_keys(choice),
    )


def _keys(choice: Choice) -> tuple[MasterKey, ...] | None:
    """
    @return: the peer's keys for a line; C{None}: it comes in the clear.
    """
    if not choice.crypto:
        return None
    return tuple(
        MasterKey(line.suite, each.key, each.mki) for line in choice.crypto for each in line.keys
    )


def _held(description: SessionDescription, index: int) -> bool:
    return index < len(description.media) and description.held(index)


@define(eq=False, repr=False)
class Negotiation:
    """
    @ivar policy: what may be recorded.
    @ivar sessionID: of our o= line, for the life of the dialog.
    @ivar local: the description that we sent last, or C{None}.
    @ivar remote: the peer's last description, or C{None}.
    """

    policy: Policy
    sessionID: int = field(factory=newSessionNumber)
    local: SessionDescription | None = field(default=None, init=False)
    remote: SessionDescription | None = field(default=None, init=False)
    _choices: tuple[Choice, ...] = field(default=(), init=False)
    # The lines of an offer of ours that nobody has asked for.
    _pattern: SessionDescription | None = field(default=None, init=False)

    def begin(self, offer: SessionDescription) -> list[StreamRequest]:
        """
        Look at the offer of the first INVITE.

        @return: the streams to record; empty if there is none that can be.
        """
        self.remote = offer
        self._choices = self._withKeys(choose(offer, self.policy))
        return [_request(each) for each in self._choices if each.accepted]

    def propose(self, labels: Sequence[str | None]) -> list[StreamRequest]:
        """
        Instead of L{begin}: the first INVITE has no offer, so ours is to be in
        the 200 (RFC 3261 section 13.3.1.4).

        @param labels: of each stream that can be expected, C{None} for one
            whose label is not known.
        @return: the streams to record.
        """
        self._pattern, choices = propose(labels, self.policy)
        self._choices = self._withKeys(choices)
        return [_request(each) for each in self._choices]

    def refusals(self) -> str:
        """
        @return: why each refused line was refused, for a Warning.
        """
        refused = (each for each in self._choices if not each.accepted)
        return "; ".join(f"line {each.index + 1}: {each.reason}" for each in refused)

    def _withKeys(self, choices: Sequence[Choice]) -> tuple[Choice, ...]:
        """
        @return: the choices with keys of our own: those that the peer knows, where it
            does, else new ones.
        """
        return tuple(
            evolve(each, crypto=withOwnKeys(each.crypto, self._line(each.index)))
            for each in choices
        )

    def _line(self, index: int) -> Media | None:
        """
        @return: what we said of a line last, if it is in use.
        """
        media = self.local.media if self.local is not None else ()
        return media[index] if index < len(media) and media[index].port else None

    def firstAnswer(self, live: LiveRecording) -> SessionDescription:
        """
        @return: the answer to what L{begin} looked at, or the offer of
            L{propose}; its streams are bound.
        """
        offer = self.remote or self._pattern
        assert offer is not None, "begin() or propose() comes first"
        if self.remote is not None:
            self._tell(None, live)
        return self._answer(offer, live)

    def takeOver(self, live: LiveRecording) -> SessionDescription:
        """
        Instead of L{firstAnswer}: the streams are those of another dialog's, as
        far as they have a line here; the other lines get new ones.
        """
        self._choices = tuple(self._apply(each, live) for each in self._choices)
        live.startCapture()
        return self.firstAnswer(live)

    def check(self, offer: SessionDescription) -> None:
        """
        Look whether an offer of the running session can be taken up.

        @raise BadBody: it has streams, but none that can be recorded.  Refusing
            it keeps the session as it is (RFC 3261 section 14.2); to answer it
            would end every stream.
        """
        choices = choose(offer, self.policy)
        wanted = [each for each in choices if offer.media[each.index].port]
        if wanted and not any(each.accepted for each in choices):
            raise BadBody(488, "; ".join(each.reason for each in wanted))

    def answer(self, offer: SessionDescription, live: LiveRecording) -> SessionDescription:
        """
        Take up an offer of the running session: streams that are new in it are
        bound and captured, those that it gives up are let go, the others keep
        their ports.

        @return: our answer; the same as the last one, version included, if
            nothing has changed.
        """
        before, self.remote = self.remote, offer
        if before is not None:
            for oddity in offer.irregularities(before):
                live.event("sdpIrregular", reason=oddity)
        choices = self._withKeys(choose(offer, self.policy))
        self._choices = tuple(self._apply(each, live) for each in choices)
        self._tell(before, live)
        live.startCapture()
        return self._answer(offer, live)

    def offer(self, live: LiveRecording) -> SessionDescription:
        """
        @return: our own offer, the answer to a re-INVITE that brought none
            (RFC 3261 section 14.2).
        """
        assert self.local is not None, "the first answer comes first"
        self.local = makeOffer(self.local, self._choices, self._places(live))
        return self.local

    def restore(
        self, local: SessionDescription, remote: SessionDescription | None, live: LiveRecording
    ) -> None:
        """
        Go on where another process stopped.

        @param local: what it sent last, answer or offer.
        @param remote: what it received last, offer or answer; C{None} while
            the first offer, ours, is not answered yet.
        @param live: the recording, its streams as they were.
        """
        self.local, self.remote = local, remote
        # What was agreed holds, whatever has been configured since.
        policy = evolve(self.policy, srtp="allow")
        self._choices = tuple(
            self._restored(each, local, live) for each in choose(remote or local, policy)
        )
        self._aim(live)

    def _restored(self, choice: Choice, local: SessionDescription, live: LiveRecording) -> Choice:
        stream = live.stream(choice.index)
        line = local.media[choice.index] if choice.index < len(local.media) else None
        if stream is None or line is None or not line.port or not choice.accepted:
            return choice.refused(choice.reason or "refused before")
        ours = ownLines(line)
        if self.remote is not None:
            taken = {each.suite for each in ours}
            ours = withOwnKeys([each for each in choice.crypto if each.suite in taken], line)
        # An answer of the peer's need not name all the formats and labels that
        # hold; what we sent does.
        return evolve(
            choice,
            codecs=line.codecs,
            label=stream.label,
            direction=stream.direction,
            rtcpMux=line.attribute("rtcp-mux") is not None,
            crypto=ours,
        )

    def outdated(self, live: LiveRecording) -> bool:
        """
        @return: whether a stream is received elsewhere than the peer was told, or
            though the peer was told that it is not.
        """
        local = self.local
        return local is not None and any(
            self._told(local, choice.index) != (stream.host, stream.port)
            or (choice.direction == "recvonly" and local.direction(choice.index) == "inactive")
            for choice in self._choices
            if (stream := live.stream(choice.index)) is not None
        )

    def waiting(self) -> bool:
        """
        @return: whether the peer sends on a line that was answered inactive, as the
            recorder was not ready.
        """
        return any(self._received(each) != each.direction for each in self._choices)

    def ready(self) -> None:
        """
        From now on such lines are to be received; L{offer} says so.
        """
        self.policy = evolve(self.policy, receiving=True)
        self._choices = tuple(
            evolve(each, direction=self._received(each)) for each in self._choices
        )

    def _received(self, choice: Choice) -> str:
        """
        @return: the direction of a line once the recorder is ready.
        """
        remote = self.remote
        if not choice.accepted or remote is None or choice.index >= len(remote.media):
            return choice.direction
        return "recvonly" if remote.direction(choice.index) in SENDING else choice.direction

    def _told(self, local: SessionDescription, index: int) -> tuple[str, int] | None:
        address = local.address(index)
        return None if address is None else (address.address, local.media[index].port)

    def peerAnswered(self, answer: SessionDescription, live: LiveRecording) -> None:
        """
        Take in the peer's answer to L{offer}.
        """
        before, self.remote = self.remote, answer
        self._choices = tuple(self._apply(each, live) for each in answered(self._choices, answer))
        self._tell(before, live, codecs=False)
        self._aim(live)
        live.rebind()

    def _tell(
        self, before: SessionDescription | None, live: LiveRecording, codecs: bool = True
    ) -> None:
        """
        Note what the peer has changed beyond directions and labels.

        @param before: its last description, or C{None}.
        @param codecs: whether those count; in an answer they do not, being what the peer
            would receive.
        """
        assert self.remote is not None
        for choice in self._choices:
            stream = live.stream(choice.index)
            if stream is None:
                continue
            held = self.remote.held(choice.index)
            if held != (before is not None and _held(before, choice.index)):
                # As in RFC 2543; the line may well say sendonly all the while.
                live.event("streamHeld" if held else "streamReleased", stream=stream.index)
            if before is not None:
                found = changed(before, self.remote, choice.index)
                told = [each for each in found if codecs or each != "codecs"]
                if told:
                    live.event("sdpChanged", stream=stream.index, changed=told)

    def _apply(self, choice: Choice, live: LiveRecording) -> Choice:
        stream = live.stream(choice.index)
        if stream is None:
            if not choice.accepted:
                return choice
            stream = live.givenUp(choice.index, choice.label)
            if stream is None:
                return self._add(choice, live)
            # Its ports are still bound, and its channel goes on.
            live.event("streamRestored", stream=stream.index, label=stream.label)
            live.changeStream(stream.index, active=True)
        if not choice.accepted:
            live.event("streamRemoved", stream=stream.index, label=stream.label)
            live.dropStream(stream.index)
            return choice
        live.addFormats(stream.index, _formats(choice))
        rekey(live, stream.index, _keys(choice))
        if choice.direction != stream.direction:
            kind = "streamPaused" if choice.direction == "inactive" else "streamResumed"
            live.event(kind, stream=stream.index, label=choice.label)
        if choice.label != stream.label:
            facts = {"label": choice.label, "before": stream.label}
            live.event("labelChanged", stream=stream.index, **facts)
        if choice.direction != stream.direction or choice.label != stream.label:
            live.changeStream(stream.index, direction=choice.direction, label=choice.label)
        return choice

    def _add(self, choice: Choice, live: LiveRecording) -> Choice:
        try:
            stream = live.bindStream(_request(choice))
        except (NoFreePorts, OSError) as error:
            # The streams that run already must not suffer: the new line alone
            # is refused.
            log.error(
                "{recording}: no port for a further stream",
                recording=live.recording.id,
                mediaIndex=choice.index,
            )
            live.event("streamRefused", label=choice.label, reason=str(error))
            return choice.refused(str(error))
        live.event("streamAdded", stream=stream.index, label=stream.label)
        return choice

    def _answer(self, offer: SessionDescription, live: LiveRecording) -> SessionDescription:
        self.local = makeAnswer(
            offer, self._choices, self._places(live), self.sessionID, self.local
        )
        self._aim(live)
        return self.local

    def _aim(self, live: LiveRecording) -> None:
        aimReports(live, self._choices, self.remote)
        expectSenders(live, self._choices, self.remote, self.policy.source)

    def _places(self, live: LiveRecording) -> dict[int, LocalMedia]:
        places = {}
        for choice in self._choices:
            stream = live.stream(choice.index)
            if stream is not None:
                places[choice.index] = LocalMedia(stream.host, stream.port)
        return places
