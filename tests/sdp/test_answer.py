"""
Tests for L{siprec.sdp.answer}.
"""

from collections.abc import Mapping

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.sdp.answer import LocalMedia, makeAnswer, makeOffer
from siprec.sdp.choice import Choice, Policy, choose
from siprec.sdp.model import Connection, Media, SessionDescription
from siprec.sdp.parse import parseSDP
from tests.sdp.offers import descriptions, line, offer, previousCodecs

LEGAL = {
    "sendonly": {"recvonly", "inactive"},
    "sendrecv": {"sendrecv", "sendonly", "recvonly", "inactive"},
    "recvonly": {"sendonly", "inactive"},
    "inactive": {"inactive"},
}


def local(choices: tuple[Choice, ...], host: str = "198.51.100.5") -> Mapping[int, LocalMedia]:
    """
    @return: a place for every accepted line, at even ports from 10000.
    """
    return {c.index: LocalMedia(host, 10000 + 2 * c.index) for c in choices if c.accepted}


def answer(
    offered: SessionDescription, previous: SessionDescription | None = None
) -> SessionDescription:
    """
    @return: the answer to C{offered} under the default policy.
    """
    choices = choose(offered, Policy())
    return makeAnswer(offered, choices, local(choices), 77, previous)


class AnswerTests(SynchronousTestCase):
    """
    L{makeAnswer} follows RFC 3264 section 6.
    """

    def test_wholeAnswer(self) -> None:
        """
        The answer to an ordinary offer, byte for byte.
        """
        offered = parseSDP(
            b"v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=x\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n"
            b"m=audio 4000 RTP/AVP 18 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
            b"a=fmtp:101 0-16\r\na=ptime:20\r\na=label:96\r\na=sendonly\r\n"
            b"m=audio 4002 RTP/AVP 0\r\na=label:97\r\na=inactive\r\n"
            b"m=video 4004 RTP/AVP 31\r\na=label:98\r\na=sendonly\r\n"
        )
        self.assertEqual(
            answer(offered).serialize(),
            b"v=0\r\no=- 77 1 IN IP4 198.51.100.5\r\ns=-\r\nc=IN IP4 198.51.100.5\r\nt=0 0\r\n"
            b"m=audio 10000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n"
            b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=recvonly\r\na=label:96\r\n"
            b"m=audio 10002 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=inactive\r\na=label:97\r\n"
            b"m=video 0 RTP/AVP 31\r\na=inactive\r\na=label:98\r\n",
        )

    @given(descriptions)
    @settings(deadline=None)
    def test_A11_anyOffer(self, offered: SessionDescription) -> None:
        """
        For every offer: as many lines in the same order, with the same type, transport
        and label, the same C{t=}; a legal direction; payload types that were offered; a
        format even where the line is refused; C{a=rtcp-mux} only where offered; no group.
        """
        made = answer(offered)
        self.assertEqual(len(made.media), len(offered.media))
        self.assertEqual(made.timing, offered.timing)
        self.assertEqual(made.attributes, ())
        for index, (ours, theirs) in enumerate(zip(made.media, offered.media, strict=True)):
            self.assertEqual((ours.kind, ours.protocol), (theirs.kind, theirs.protocol))
            self.assertEqual(ours.label, theirs.label)
            self.assertIn(made.direction(index), LEGAL[offered.direction(index)])
            self.assertIn(made.direction(index), ("recvonly", "inactive"))
            self.assertTrue(ours.formats)
            if theirs.formats:
                self.assertLessEqual(set(ours.formats), set(theirs.formats))
            if theirs.port == 0:
                self.assertEqual(ours.port, 0)
            if ours.port:
                self.assertLessEqual(set(previousCodecs(ours)), set(previousCodecs(theirs)))
                self.assertEqual(len(ours.codecs), len(ours.formats))
            if theirs.attribute("rtcp-mux") is None:
                self.assertIsNone(ours.attribute("rtcp-mux"))
            self.assertIsNone(ours.attribute("crypto"))
            self.assertIsNone(ours.attribute("mid"))

    @given(descriptions)
    @settings(deadline=None)
    def test_A19_sameOfferAgain(self, offered: SessionDescription) -> None:
        """
        The same offer again changes nothing, not even the version, also when the previous
        answer comes back from its bytes (RFC 3264 section 8).
        """
        first = answer(offered)
        self.assertEqual(parseSDP(first.serialize()), first)
        self.assertEqual(answer(offered, first), first)
        self.assertEqual(answer(offered, parseSDP(first.serialize())), first)

    @given(st.lists(descriptions, min_size=2, max_size=6))
    @settings(deadline=None)
    def test_A19_versions(self, offers: list[SessionDescription]) -> None:
        """
        Over any row of offers the session id stays, and the version rises by one where
        the content changed and only there.
        """
        previous = answer(offers[0])
        for offered in offers[1:]:
            made = answer(offered, previous)
            self.assertEqual(made.origin.sessionID, 77)
            same = evolve(made, origin=previous.origin) == previous
            step = 0 if same else 1
            assert isinstance(previous.origin.version, int)
            self.assertEqual(made.origin.version, previous.origin.version + step)
            previous = made

    def test_A16_slotReused(self) -> None:
        """
        A line is removed with port 0 and its slot taken by another stream with another
        label; each step is one version.
        """
        first = answer(offer(line("label:1"), line("label:2")))
        removed = answer(offer(line("label:1"), line("label:2", port=0)), first)
        reused = answer(offer(line("label:1"), line("label:3", formats="8")), removed)
        self.assertEqual([m.port for m in removed.media], [10000, 0])
        self.assertEqual([m.port for m in reused.media], [10000, 10002])
        self.assertEqual([m.label for m in reused.media], ["1", "3"])
        self.assertEqual([d.origin.version for d in (first, removed, reused)], [1, 2, 3])

    def test_A14_noLabel(self) -> None:
        """
        Where no label was offered none is answered, and duplicates are echoed.
        """
        made = answer(offer(line(), line("label:1"), line("label:1")))
        self.assertEqual([media.label for media in made.media], [None, "1", "1"])

    def test_A11_timing(self) -> None:
        """
        C{t=} is the offer's.
        """
        offered = evolve(offer(line()), timing=("3034423619 3042462419",))
        self.assertEqual(answer(offered).timing, ("3034423619 3042462419",))

    def test_E1_rtcp(self) -> None:
        """
        C{a=rtcp} is written only where our RTCP port is not the one after RTP's, and not
        beside C{a=rtcp-mux}, where both share one.
        """
        offered = offer(line(), line(), line("rtcp-mux"), line())
        places = {
            0: LocalMedia("198.51.100.5", 10000, 10001),
            1: LocalMedia("198.51.100.5", 10002, 10009),
            2: LocalMedia("198.51.100.5", 10004, 10011),
            3: LocalMedia("198.51.100.5", 10006),
        }
        made = makeAnswer(offered, choose(offered, Policy()), places, 1)
        self.assertEqual(
            [media.attribute("rtcp") for media in made.media], [None, "10009", None, None]
        )
        self.assertEqual(
            [media.attribute("rtcp-mux") for media in made.media], [None, None, "", None]
        )

    def test_severalHosts(self) -> None:
        """
        A line that is received elsewhere has its own C{c=}; the rest inherit.
        """
        offered = offer(line(port=0), line(), line(), line())
        places = {
            1: LocalMedia("2001:db8::5", 10000),
            2: LocalMedia("198.51.100.5", 10002),
            3: LocalMedia("2001:db8::5", 10004),
        }
        made = makeAnswer(offered, choose(offered, Policy()), places, 1)
        self.assertEqual(made.connection, Connection("IP6", "2001:db8::5"))
        self.assertEqual(
            [media.connection for media in made.media],
            [None, None, Connection("IP4", "198.51.100.5"), None],
        )
        self.assertEqual((made.origin.family, made.origin.address), ("IP6", "2001:db8::5"))

    def test_allRefused(self) -> None:
        """
        An answer that refuses all is still a whole description; after an earlier one it
        keeps that one's address.
        """
        gone = offer(line("label:1", port=0, formats=""))
        self.assertIn(b"c=IN IP4 0.0.0.0\r\n", answer(gone).serialize())
        self.assertIn(b"m=audio 0 RTP/AVP 0\r\n", answer(gone).serialize())
        made = answer(gone, answer(offer(line("label:1"))))
        self.assertEqual(made.connection, Connection("IP4", "198.51.100.5"))

    def test_placeMissing(self) -> None:
        """
        An accepted line without a place to receive it is the caller's error.
        """
        offered = offer(line())
        self.assertRaises(KeyError, makeAnswer, offered, choose(offered, Policy()), {}, 1, None)


class OfferTests(SynchronousTestCase):
    """
    L{makeOffer} offers the session anew (CONFORMANCE A13, A18, G.2).
    """

    offered = offer(
        line("label:1", "sendonly", "rtpmap:101 telephone-event/8000", formats="18 0 101 8"),
        line("label:2", "inactive"),
        line("label:3", kind="video", formats="31"),
    )

    def test_A18_unchanged(self) -> None:
        """
        Nothing moved: the offer is what was answered, with the same version.
        """
        made = answer(self.offered)
        choices = choose(self.offered, Policy())
        self.assertEqual(makeOffer(made, choices, local(choices)), made)

    def test_G2_mediaMoves(self) -> None:
        """
        A move changes C{c=} and ports and raises the version; order, labels, formats,
        directions and the rest of C{o=} stay, and a line at port 0 stays there.
        """
        made = answer(self.offered)
        choices = choose(self.offered, Policy())
        moved = makeOffer(made, choices, local(choices, "198.51.100.9"))
        self.assertEqual(
            moved,
            evolve(
                made,
                origin=evolve(made.origin, version=2),
                connection=Connection("IP4", "198.51.100.9"),
            ),
        )
        self.assertEqual([m.formats for m in moved.media], [("0", "101", "8"), ("0",), ("31",)])
        self.assertEqual([m.label for m in moved.media], ["1", "2", "3"])
        self.assertEqual([moved.direction(i) for i in (0, 1)], ["recvonly", "inactive"])

    def test_A10_ready(self) -> None:
        """
        A recorder that answered inactive offers recvonly once it is ready; what the peer
        itself holds inactive stays so.
        """
        waiting = choose(self.offered, Policy(receiving=False))
        made = makeAnswer(self.offered, waiting, local(waiting), 1)
        self.assertEqual([made.direction(i) for i in (0, 1)], ["inactive", "inactive"])
        ready = choose(self.offered, Policy())
        offered = makeOffer(made, ready, local(ready))
        self.assertEqual([offered.direction(i) for i in (0, 1)], ["recvonly", "inactive"])
        self.assertEqual(offered.origin.version, 2)

    def test_A13_removes(self) -> None:
        """
        A line that is refused from now on, or for which there is no choice, is offered
        with port 0 under its label and with its formats.
        """
        made = answer(self.offered)
        first, second, _ = choose(self.offered, Policy())
        offered = makeOffer(made, [first.refused("no port"), second], {1: LocalMedia("h", 9000)})
        self.assertEqual([media.port for media in offered.media], [0, 9000, 0])
        self.assertEqual([media.label for media in offered.media], ["1", "2", "3"])
        self.assertEqual(offered.media[0].formats, ("0", "101", "8"))

    @given(descriptions)
    @settings(deadline=None)
    def test_A18_anySession(self, offered: SessionDescription) -> None:
        """
        After any offer, ours has the same lines in order and never adds a stream or a
        payload type.
        """
        choices = choose(offered, Policy())
        made = answer(offered)
        ours = makeOffer(made, choices, local(choices, "203.0.113.1"))

        def shape(media: Media) -> tuple[object, ...]:
            return (media.kind, media.protocol, media.label, media.formats, media.port)

        self.assertEqual([shape(m) for m in ours.media], [shape(m) for m in made.media])
