"""
Tests for L{siprec.sdp.choice}.
"""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from siprec.sdp.choice import Choice, Policy, answered, choose, propose
from siprec.sdp.model import Codec, Connection, Media, SessionDescription
from tests.sdp.offers import line, offer

POLICY = Policy()
CRYPTO = f"crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{'A' * 40}"
NULL = Connection("IP4", "0.0.0.0")


def chosen(*media: Media, policy: Policy = POLICY, session: str = "") -> tuple[Choice, ...]:
    """
    @return: the choices for an offer of these lines.
    """
    return choose(offer(*media, attributes=((session, None),) if session else ()), policy)


class DirectionTests(SynchronousTestCase):
    """
    A recorder's answer is C{recvonly} or C{inactive} (CONFORMANCE A10, A11).
    """

    def directions(self, *media: Media, policy: Policy = POLICY, session: str = "") -> list[str]:
        """
        @return: the direction of the answer to each line.
        """
        return [c.direction for c in chosen(*media, policy=policy, session=session)]

    def test_A11_directionTable(self) -> None:
        """
        What the peer sends is received; what it does not send on stays inactive, also
        where the offer says C{recvonly}, which a recorder cannot serve.
        """
        self.assertEqual(
            self.directions(
                line("sendonly"), line("sendrecv"), line(), line("inactive"), line("recvonly")
            ),
            ["recvonly", "recvonly", "recvonly", "inactive", "inactive"],
        )

    def test_A11_sessionDirection(self) -> None:
        """
        The direction of the session is inherited, and a line's own comes first.
        """
        self.assertEqual(
            self.directions(line(), line("sendonly"), session="inactive"),
            ["inactive", "recvonly"],
        )

    def test_A10_notReady(self) -> None:
        """
        A recorder that is not ready, or paused, answers all inactive and refuses nothing.
        """
        choices = chosen(line("sendonly"), line(), policy=Policy(receiving=False))
        self.assertEqual([(c.accepted, c.direction) for c in choices], [(True, "inactive")] * 2)
        self.assertEqual(choices[0].remote, ("192.0.2.7", 4000))


class RefusalTests(SynchronousTestCase):
    """
    What is not recorded is refused, and the reason says why.
    """

    def assertRefused(self, media: Media, why: str, policy: Policy = POLICY) -> None:
        """
        Assert that C{media} is refused for a reason that names C{why}.
        """
        (choice,) = chosen(media, policy=policy)
        self.assertFalse(choice.accepted)
        self.assertIn(why, choice.reason)
        self.assertEqual(
            choice, Choice(0, False, choice.reason, label=media.label, direction="inactive")
        )

    def test_A16_removed(self) -> None:
        """
        Port 0 removes a line; its label is kept for the answer.
        """
        self.assertRefused(line("label:1", port=0), "port 0")

    def test_A19c_otherMedia(self) -> None:
        """
        Only audio is recorded.
        """
        self.assertRefused(line(kind="video", formats="31"), "video is not recorded")
        for kind in ("text", "image", "message", "application"):
            self.assertRefused(line("label:9", kind=kind), f"{kind} is not recorded")

    def test_E9_datagramTLS(self) -> None:
        """
        A line whose keys would be agreed by DTLS is refused with a reason of its own, also
        if it has keys besides.
        """
        for protocol in ("UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"):
            media = line(CRYPTO, protocol=protocol)
            self.assertRefused(media, f"DTLS-SRTP ({protocol}) is not supported")

    def test_E8_noKeys(self) -> None:
        """
        A line that demands SRTP is refused if it has no keys that can be used; none of them is
        told.
        """
        for protocol in ("RTP/SAVP", "rtp/savpf"):
            self.assertRefused(line(protocol=protocol), f"SRTP ({protocol}): no a=crypto")
        media = line("crypto:1 F8_128_HMAC_SHA1_80 inline:secret", protocol="RTP/SAVP")
        self.assertRefused(media, "unknown crypto suite")
        media = line("crypto:1 AES_CM_128_HMAC_SHA1_80 inline:secret", protocol="RTP/SAVP")
        self.assertRefused(media, "wrong length")
        self.assertNotIn("secret", chosen(media)[0].reason)

    def test_E8_required(self) -> None:
        """
        Where SRTP is required, what comes without keys is refused.
        """
        required = Policy(srtp="require")
        self.assertRefused(line(), "SRTP is required (RTP/AVP: no a=crypto)", required)
        for protocol in ("RTP/SAVP", "RTP/AVP"):
            (choice,) = chosen(line(CRYPTO, protocol=protocol), policy=required)
            self.assertEqual([each.tag for each in choice.crypto], [1])

    def test_E8_refused(self) -> None:
        """
        Where SRTP is refused, a line that demands it is; one on which it is optional comes
        in the clear.
        """
        refused = Policy(srtp="refuse")
        self.assertRefused(line(CRYPTO, protocol="RTP/SAVP"), "SRTP (RTP/SAVP) is not", refused)
        (choice,) = chosen(line(CRYPTO), policy=refused)
        self.assertEqual((choice.accepted, choice.crypto), (True, ()))

    def test_transport(self) -> None:
        """
        Audio over anything else than RTP is refused.
        """
        self.assertRefused(line(protocol="TCP/MRCPv2"), "transport TCP/MRCPv2")

    def test_A20_noCodec(self) -> None:
        """
        A line without a codec that can be recorded is refused: telephone events and
        comfort noise alone are no audio, and an unknown dynamic type means nothing.
        """
        self.assertRefused(line("rtpmap:97 iLBC/8000", formats="97 3"), "among 97 3")
        self.assertRefused(line("rtpmap:96 telephone-event/8000", formats="96 13"), "no codec")
        self.assertRefused(line(formats="96"), "no codec")
        self.assertRefused(line(formats=""), "among none")

    def test_stereo(self) -> None:
        """
        A stream becomes one channel of the recording, so it must be mono; Opus says two
        channels always (RFC 7587 section 7).
        """
        self.assertRefused(line("rtpmap:96 PCMU/8000/2", formats="96"), "no codec")
        (choice,) = chosen(
            line("rtpmap:96 opus/48000/2", formats="96"), policy=Policy(codecs=("opus",))
        )
        self.assertTrue(choice.accepted)

    def test_A12_manyLines(self) -> None:
        """
        At least 32 lines are taken; an offer cannot take the whole range of ports.
        """
        choices = chosen(*[line(f"label:{n}") for n in range(70)])
        self.assertEqual([c.accepted for c in choices], [True] * 64 + [False] * 6)
        self.assertEqual([c.index for c in choices], list(range(70)))
        self.assertIn("no more than 64", choices[-1].reason)

    def test_refusedLater(self) -> None:
        """
        A line that cannot be taken after all is refused under its label.
        """
        (choice,) = chosen(line("label:1"))
        self.assertEqual(choice.refused("no port"), Choice(0, False, "no port", label="1"))


class CodecTests(SynchronousTestCase):
    """
    Which payload types are taken (CONFORMANCE A20).
    """

    def types(self, media: Media, policy: Policy = POLICY) -> list[int]:
        """
        @return: the payload types taken of C{media}.
        """
        (choice,) = chosen(media, policy=policy)
        return [codec.payloadType for codec in choice.codecs]

    def test_A20_order(self) -> None:
        """
        The order offered is kept, whatever the policy's own order.
        """
        self.assertEqual(self.types(line(formats="18 8 0 13")), [8, 0, 13])

    def test_A20_lowerCase(self) -> None:
        """
        Encoding names are compared without case.
        """
        self.assertEqual(self.types(line("rtpmap:100 pcmA/8000", formats="100")), [100])

    def test_E2_companions(self) -> None:
        """
        Telephone events and comfort noise go along with a codec of their own rate only,
        so of several rates offered just the fitting one is answered.
        """
        media = line(
            "rtpmap:96 telephone-event/48000",
            "rtpmap:97 telephone-event/8000",
            "rtpmap:98 opus/48000/2",
            "rtpmap:99 CN/16000",
            formats="96 98 0 97 99 13 19",
        )
        self.assertEqual(self.types(media), [0, 97, 13, 19])
        opus = Policy(codecs=("opus", "telephone-event"))
        self.assertEqual(self.types(media, opus), [96, 98])

    def test_E2_anyOfThem(self) -> None:
        """
        Every codec of an offer that is recorded is answered, so that the peer may send
        another than the first, and change.
        """
        policy = Policy(codecs=("pcma", "pcmu", "g729"))
        self.assertEqual(self.types(line(formats="18 0 8"), policy), [18, 0, 8])
        self.assertEqual(self.types(line(formats="18 0 8")), [0, 8])

    def test_E2_protectedAMR(self) -> None:
        """
        AMR is taken in both packings, but not with what would have to be undone first.
        """
        policy = Policy(codecs=("amr", "amr-wb"))
        for fmtp, taken in (
            (None, True),
            ("octet-align=1; mode-set=0,2", True),
            ("octet-align=1;CRC=1", False),
            ("octet-align=1; robust-sorting=1; crc=0", False),
            ("interleaving=4", False),
        ):
            for name, rate in (("AMR", 8000), ("AMR-WB", 16_000)):
                self.assertEqual(policy.takes(Codec(96, name, rate, fmtp=fmtp)), taken, fmtp)

    def test_E2_kept(self) -> None:
        """
        Where packets are to be kept in any case a line is taken without a codec that is
        decoded, whatever its channels are; if it has one, only that is taken.
        """
        keeping = Policy(keeps=True)
        maps = "rtpmap:96 EVS/16000", "rtpmap:97 telephone-event/16000"
        for media, formats in (
            (line(*maps, formats="96 97"), ["EVS", "telephone-event"]),
            (line(formats="10"), ["L16"]),
            (line(formats="4 8"), ["PCMA"]),
        ):
            (choice,) = chosen(media, policy=keeping)
            self.assertEqual([each.name for each in choice.codecs], formats)
        (choice,) = chosen(line(formats="4"))
        self.assertFalse(choice.accepted)
        proposed, _ = propose(["1"], keeping)
        self.assertEqual(proposed.media[0].formats, ("8", "0", "13", "101"))

    def test_E8_secure(self) -> None:
        """
        The first C{a=crypto} that can be used is taken, in either profile.
        """
        lines = ("crypto:1 UNKNOWN inline:x", CRYPTO.replace("1 ", "2 "), CRYPTO)
        for protocol in ("RTP/SAVP", "RTP/SAVPF"):
            (choice,) = chosen(line(*lines, protocol=protocol))
            self.assertEqual([each.tag for each in choice.crypto], [2])
            self.assertEqual([each.key for each in choice.crypto[0].keys], [bytes(30)])

    def test_E8_onlySomeSuites(self) -> None:
        """
        Suites that the recorder does not have are not taken.
        """
        policy = Policy(suites=("AEAD_AES_128_GCM",))
        (choice,) = chosen(line(CRYPTO, protocol="RTP/SAVP"), policy=policy)
        self.assertIn("AES_CM_128_HMAC_SHA1_80 is not taken", choice.reason)

    def test_J8_optionalSRTP(self) -> None:
        """
        C{a=crypto} on RTP/AVP is optional SRTP: keys that can be used are taken, else the line
        comes in the clear.
        """
        (choice,) = chosen(line(CRYPTO))
        self.assertEqual([each.tag for each in choice.crypto], [1])
        (choice,) = chosen(line("crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x"))
        self.assertEqual((choice.accepted, choice.crypto), (True, ()))

    def test_A51_feedbackProfile(self) -> None:
        """
        RTP/AVPF is as good as RTP/AVP.
        """
        self.assertEqual(self.types(line(protocol="RTP/AVPF")), [0])


class RemoteTests(SynchronousTestCase):
    """
    Where the peer receives, for RTCP and for knowing its packets.
    """

    def remotes(self, media: Media) -> tuple[object, object, bool]:
        """
        @return: the peer's RTP and RTCP address, and whether they are one.
        """
        (choice,) = chosen(media)
        return (choice.remote, choice.remoteControl, choice.rtcpMux)

    def test_E1_nextPort(self) -> None:
        """
        RTCP goes to the port after RTP's.
        """
        rtp, rtcp = ("192.0.2.7", 4000), ("192.0.2.7", 4001)
        self.assertEqual(self.remotes(line()), (rtp, rtcp, False))
        self.assertEqual(self.remotes(line("rtcp:")), (rtp, rtcp, False))
        self.assertEqual(self.remotes(line("rtcp:x IN IP4 h")), (rtp, rtcp, False))
        self.assertIsNone(self.remotes(line(port=65535))[1])
        self.assertIsNone(self.remotes(line("rtcp:0"))[1])

    def test_E1_rtcpAttribute(self) -> None:
        """
        C{a=rtcp} names another port, and may name another address (RFC 3605).
        """
        self.assertEqual(self.remotes(line("rtcp:4009"))[1], ("192.0.2.7", 4009))
        self.assertEqual(self.remotes(line("rtcp:4009 IN IP4 192.0.2.8"))[1], ("192.0.2.8", 4009))

    def test_E1_mux(self) -> None:
        """
        With C{a=rtcp-mux} both use one port (RFC 5761).
        """
        rtp = ("192.0.2.7", 4000)
        self.assertEqual(self.remotes(line("rtcp-mux", "rtcp:4009")), (rtp, rtp, True))

    def test_A17_held(self) -> None:
        """
        A null address is taken as a pause: the direction is answered as offered, and
        nothing may be sent to the peer.
        """
        (choice,) = chosen(line("sendonly", "rtcp:4001 IN IP4 192.0.2.7", connection=NULL))
        self.assertTrue(choice.accepted)
        self.assertEqual(choice.direction, "recvonly")
        self.assertEqual((choice.remote, choice.remoteControl), (None, None))

    def test_A19b_noConnection(self) -> None:
        """
        An offer without any C{c=} is recorded; nothing can be sent.
        """
        (choice,) = choose(offer(line(), connection=None), POLICY)
        self.assertTrue(choice.accepted)
        self.assertEqual((choice.remote, choice.remoteControl), (None, None))


class AnsweredTests(SynchronousTestCase):
    """
    L{answered} takes the peer's answer to an offer of ours (CONFORMANCE A18).
    """

    choices = chosen(line("label:1", "rtcp-mux"), line("label:2"), line(port=0))

    def after(self, answer: SessionDescription) -> tuple[Choice, ...]:
        """
        @return: the choices after C{answer}.
        """
        return answered(self.choices, answer)

    def test_A18_addressMoves(self) -> None:
        """
        The peer's new address counts; labels and payload types stay those we offered.
        """
        moved = Connection("IP4", "192.0.2.99")
        first, second, third = self.after(
            offer(
                line("sendonly", "label:x", "rtcp-mux", port=6000, formats="8"),
                line("sendonly", port=6002, formats="8"),
                line(port=0),
                connection=moved,
            )
        )
        rtp = ("192.0.2.99", 6000)
        self.assertEqual(first, evolve(self.choices[0], remote=rtp, remoteControl=rtp))
        self.assertEqual(second.remoteControl, ("192.0.2.99", 6003))
        self.assertEqual(third, self.choices[2])

    def test_muxRefused(self) -> None:
        """
        Where the answer lacks C{a=rtcp-mux}, RTCP has its own port.
        """
        first = self.after(offer(line("sendonly")))[0]
        self.assertEqual((first.rtcpMux, first.remoteControl), (False, ("192.0.2.7", 4001)))

    def test_directions(self) -> None:
        """
        A line is received only if both sides say so.
        """
        first, second, _ = self.after(offer(line("inactive"), line("recvonly")))
        self.assertEqual([first.direction, second.direction], ["inactive", "inactive"])
        held = tuple(evolve(c, direction="inactive") for c in self.choices)
        self.assertEqual(answered(held, offer(line("sendonly")))[0].direction, "inactive")

    def test_refused(self) -> None:
        """
        Port 0 in the answer ends the line.
        """
        first = self.after(offer(line(port=0), line(), line()))[0]
        self.assertEqual(first, self.choices[0].refused("port 0 in the peer's answer"))

    def test_shortAnswer(self) -> None:
        """
        Lines that a broken answer leaves out go on as they were.
        """
        self.assertEqual(self.after(offer(line()))[1:], self.choices[1:])


class ProposedTests(SynchronousTestCase):
    """
    L{propose} makes up an offer where the peer has made none.
    """

    def test_D4_offerless_lines(self) -> None:
        """
        One audio line for each label, to receive on, with the codecs that can be
        recorded and whose payload types are known.
        """
        pattern, choices = propose(["a", None], POLICY)
        self.assertEqual([media.kind for media in pattern.media], ["audio", "audio"])
        self.assertEqual([choice.label for choice in choices], ["a", None])
        self.assertEqual({choice.direction for choice in choices}, {"recvonly"})
        found = [(codec.payloadType, codec.name) for codec in choices[0].codecs]
        expected = [(8, "PCMA"), (0, "PCMU"), (13, "CN"), (101, "telephone-event")]
        self.assertEqual(found, expected)
        self.assertEqual(pattern.media[0].formats, ("8", "0", "13", "101"))

    def test_D4_offerless_policy(self) -> None:
        """
        What the policy does not take is not offered; it bounds the lines, too.
        """
        policy = Policy(codecs=("pcmu", "opus"), receiving=False, maxStreams=1)
        _, choices = propose(["1", "2"], policy)
        self.assertEqual([codec.name for codec in choices[0].codecs], ["PCMU"])
        self.assertEqual([choice.direction for choice in choices], ["inactive"])
        pattern, choices = propose(["1"], Policy(codecs=("opus", "telephone-event")))
        self.assertEqual((pattern.media, choices), ((), ()))

    def test_D4_offerless_label(self) -> None:
        """
        A label that our offer lacks is that of the answer.
        """
        _, choices = propose([None, "2"], POLICY)
        answer = offer(line("sendonly", "label:x"), line("sendonly", "label:y"))
        self.assertEqual([each.label for each in answered(choices, answer)], ["x", "2"])

    def test_E8_secure(self) -> None:
        """
        Where SRTP is required it is offered, with a line for each suite; the peer's answer
        has its keys for one of them.
        """
        policy = Policy(srtp="require", suites=("AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80"))
        pattern, choices = propose(["1"], policy)
        self.assertEqual([each.protocol for each in pattern.media], ["RTP/SAVP"])
        self.assertEqual([each.tag for each in choices[0].crypto], [1, 2])
        media = line(CRYPTO.replace("1 ", "2 "), protocol="RTP/SAVP")
        (choice,) = answered(choices, offer(media))
        [taken] = choice.crypto
        self.assertEqual((taken.tag, taken.keys[0].key), (2, bytes(30)))
        # Another answer without keys leaves those that are known.
        [again] = answered([choice], offer(line(protocol="RTP/SAVP")))
        self.assertEqual(again.crypto, (taken,))
        # On RTP/AVP it says that the media comes in the clear.
        [clear] = answered([choice], offer(line()))
        self.assertEqual((clear.accepted, clear.crypto), (True, ()))

    def test_E8_notAnswered(self) -> None:
        """
        An answer without a key of its own, or to a line that was not offered, cannot be used.
        """
        _, choices = propose(["1"], Policy(srtp="require", suites=("AES_CM_128_HMAC_SHA1_80",)))
        for media in (
            line(protocol="RTP/SAVP"),
            line(CRYPTO.replace("1 ", "7 "), protocol="RTP/SAVP"),
        ):
            (choice,) = answered(choices, offer(media))
            self.assertIn("no usable a=crypto", choice.reason)
