"""
Tests for L{siprec.sdp.model}.
"""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from siprec.sdp.model import Codec, Connection, Media, Origin, SessionDescription, boundedNumber

ORIGIN = Origin("-", 7, 1, "IP4", "192.0.2.1")


def audio(*attributes: tuple[str, str | None], formats: tuple[str, ...] = ("0",)) -> Media:
    """
    @return: an audio line with these attributes.
    """
    return Media("audio", 4000, "RTP/AVP", formats, attributes=attributes)


class ConnectionTests(SynchronousTestCase):
    """
    L{Connection} is a C{c=} line.
    """

    def test_family(self) -> None:
        """
        The family follows from the literal (RFC 8866 section 5.7).
        """
        self.assertEqual(str(Connection.to("192.0.2.1")), "IN IP4 192.0.2.1")
        self.assertEqual(str(Connection.to("2001:db8::1")), "IN IP6 2001:db8::1")
        self.assertEqual(str(Connection.to("srs.example")), "IN IP4 srs.example")

    def test_A17_null(self) -> None:
        """
        Only the unspecified address means hold; a name does not.
        """
        self.assertTrue(Connection("IP4", "0.0.0.0").null)
        self.assertTrue(Connection("IP6", "::").null)
        self.assertFalse(Connection("IP4", "192.0.2.1").null)
        self.assertFalse(Connection("IP4", "src.example").null)


class CodecTests(SynchronousTestCase):
    """
    L{Media.codecs} says what the payload types of a line mean.
    """

    def test_static(self) -> None:
        """
        A static payload type needs no rtpmap (RFC 3551); 19 is the old comfort noise.
        """
        self.assertEqual(
            audio(formats=("8", "0", "9", "19", "10")).codecs,
            (
                Codec(8, "PCMA", 8000),
                Codec(0, "PCMU", 8000),
                Codec(9, "G722", 8000),
                Codec(19, "CN", 8000),
                Codec(10, "L16", 44100, 2),
            ),
        )

    def test_dynamic(self) -> None:
        """
        A dynamic payload type is what its rtpmap says, with its fmtp verbatim.
        """
        media = audio(
            ("fmtp", "111 minptime=10; useinbandfec=1"),
            ("rtpmap", "111 opus/48000/2"),
            ("RTPMAP", "101  telephone-event/8000"),
            formats=("111", "101"),
        )
        opus, event = media.codecs
        self.assertEqual(opus, Codec(111, "opus", 48000, 2, "minptime=10; useinbandfec=1"))
        self.assertEqual(event, Codec(101, "telephone-event", 8000))
        self.assertEqual(opus.rtpmap, "111 opus/48000/2")
        self.assertEqual(event.rtpmap, "101 telephone-event/8000")

    def test_nameAsReceived(self) -> None:
        """
        The name is kept as received and compared in lower case (RFC 4855 section 3).
        """
        (codec,) = audio(("rtpmap", "0 pcmu/8000")).codecs
        self.assertEqual((codec.name, codec.encoding), ("pcmu", "pcmu"))
        (codec,) = audio().codecs
        self.assertEqual((codec.name, codec.encoding), ("PCMU", "pcmu"))

    def test_meaningless(self) -> None:
        """
        A format without a meaning, or named twice, gives no further codec: a dynamic one
        without rtpmap, one above 127, a word, a rate of 0.
        """
        media = audio(
            ("rtpmap", "97 x/0"),
            ("rtpmap", "98"),
            ("rtpmap", None),
            ("fmtp", None),
            formats=("96", "97", "98", "128", "t38", "٣", "9" * 5000, "0", "0"),
        )
        self.assertEqual([codec.payloadType for codec in media.codecs], [0])

    def test_firstRtpmapCounts(self) -> None:
        """
        Of two rtpmap attributes for one payload type the first counts.
        """
        media = audio(("rtpmap", "96 PCMA/8000"), ("rtpmap", "96 PCMU/8000"), formats=("96",))
        self.assertEqual([codec.name for codec in media.codecs], ["PCMA"])


class MediaTests(SynchronousTestCase):
    """
    L{Media} is a media line.
    """

    def test_attribute(self) -> None:
        """
        An attribute without a value is not the same as an absent one; names are compared
        without case and the first one counts.
        """
        media = audio(("Label", "a"), ("label", "b"), ("rtcp-mux", None))
        self.assertEqual(media.attribute("label"), "a")
        self.assertEqual(media.attribute("rtcp-mux"), "")
        self.assertIsNone(media.attribute("ptime"))

    def test_A14_label(self) -> None:
        """
        An empty label is none: it could bind to nothing.
        """
        self.assertEqual(audio(("label", "96")).label, "96")
        self.assertIsNone(audio(("label", "")).label)
        self.assertIsNone(audio().label)

    def test_evolved(self) -> None:
        """
        A changed copy answers from its own attributes.
        """
        media = evolve(audio(("label", "1")), attributes=(("label", "2"),))
        self.assertEqual(media.label, "2")


class SecretTests(SynchronousTestCase):
    """
    Keys in a description.
    """

    def test_E8_secret(self) -> None:
        """
        They are not in the text of it; what else there is can be read.
        """
        attributes = (("crypto", "1 x inline:secret"), ("ice-pwd", "secret"), ("label", "7"))
        media = Media("audio", 9, "RTP/SAVP", ("0",), attributes=attributes)
        description = SessionDescription(
            Origin("-", 1, 1, "IP4", "192.0.2.1"), (media,), attributes=(("key-mgmt", "secret"),)
        )
        self.assertNotIn("secret", repr(description))
        self.assertIn("('label', '7')", repr(description))


class SessionDescriptionTests(SynchronousTestCase):
    """
    L{SessionDescription} is a whole description.
    """

    def test_A11_direction(self) -> None:
        """
        A line's own direction counts before the session's, and C{sendrecv} is what
        nothing means (RFC 8866 section 6.7).
        """
        media = (audio(("sendonly", None)), audio(("SendOnly", None)), audio())
        plain = SessionDescription(ORIGIN, media)
        self.assertEqual([plain.direction(i) for i in range(3)], ["sendonly"] * 2 + ["sendrecv"])
        session = evolve(plain, attributes=(("tool", "x"), ("inactive", None)))
        self.assertEqual([session.direction(i) for i in range(3)], ["sendonly"] * 2 + ["inactive"])

    def test_A17_held(self) -> None:
        """
        A null address, its own or the session's, holds a line; no address does not.
        """
        own = evolve(audio(), connection=Connection("IP4", "0.0.0.0"))
        description = SessionDescription(ORIGIN, (own, audio()))
        self.assertEqual([description.held(0), description.held(1)], [True, False])
        self.assertIsNone(description.address(1))
        session = evolve(description, connection=Connection("IP6", "::"))
        self.assertTrue(session.held(1))
        self.assertEqual(session.address(0), Connection("IP4", "0.0.0.0"))

    def test_E7_bandwidth(self) -> None:
        """
        What a line says of bandwidth wins over what the session says; what is no number
        says nothing.
        """
        line = evolve(audio(), bandwidths=("rr: 800", "RR:1", "AS:many"))
        description = SessionDescription(
            Origin("-", 1, 1, "IP4", "192.0.2.7"),
            (line, audio()),
            bandwidths=("RR:0", "AS:64"),
        )
        found = [[description.bandwidth(n, kind) for kind in ("RR", "AS", "RS")] for n in (0, 1)]
        self.assertEqual(found, [[800, None, None], [0, 64, None]])

    def test_serialize(self) -> None:
        """
        The lines come in the order of RFC 8866 section 5, each with CRLF.
        """
        description = SessionDescription(
            ORIGIN,
            (
                evolve(audio(("label", "1"), ("sendonly", None)), portCount=2),
                Media("image", 0, "udptl", ("t38",), Connection("IP6", "::1")),
            ),
            connection=Connection("IP4", "192.0.2.1"),
            attributes=(("group", "LS 1"),),
            timing=("1 2", "3 4"),
        )
        self.assertEqual(
            description.serialize(),
            b"v=0\r\no=- 7 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=1 2\r\nt=3 4\r\n"
            b"a=group:LS 1\r\n"
            b"m=audio 4000/2 RTP/AVP 0\r\na=label:1\r\na=sendonly\r\n"
            b"m=image 0 udptl t38\r\nc=IN IP6 ::1\r\n",
        )

    def test_A19_irregularities(self) -> None:
        """
        An origin that goes back, changes its session id or keeps its version for another
        content is noted; a proper one is not (RFC 3264 section 8).
        """

        def described(sessionID: int | str, version: int | str, label: str) -> SessionDescription:
            origin = evolve(ORIGIN, sessionID=sessionID, version=version)
            return SessionDescription(origin, (audio(("label", label)),))

        first = described(7, 5, "a")
        self.assertEqual(described(7, 6, "b").irregularities(first), ())
        self.assertEqual(described(7, 5, "a").irregularities(first), ())
        self.assertEqual(described(7, "x", "b").irregularities(first), ())
        self.assertIn("from 5 to 4", described(7, 4, "b").irregularities(first)[0])
        self.assertIn("stayed 5", described(7, 5, "b").irregularities(first)[0])
        self.assertIn("from 7 to 8", described(8, 6, "a").irregularities(first)[0])


class BoundedNumberTests(SynchronousTestCase):
    """
    L{boundedNumber} reads numbers that a peer wrote.
    """

    def test_bounds(self) -> None:
        """
        Only plain ASCII digits up to the bound are a number.
        """
        self.assertEqual(boundedNumber("65535", 65535), 65535)
        for text in ("65536", "-1", "+1", "1_0", " 1", "", "٣", "1" * 100000):
            self.assertIsNone(boundedNumber(text, 65535), text[:10])
