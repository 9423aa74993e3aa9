"""
Tests for L{siprec.testing.offer}.
"""

from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.parse import parseMetadata
from siprec.sdp.parse import parseSDP
from siprec.sip.headers import Headers
from siprec.sip.multipart import leaves, parseBody
from siprec.testing.offer import METADATA_TYPE, OfferedStream, describe, makeBody, makeMetadata
from siprec.testing.wire import Law


class DescribeTests(SynchronousTestCase):
    """
    Session descriptions.
    """

    def test_offer(self) -> None:
        """
        The recorder's own parser finds everything without a warning.
        """
        streams = [OfferedStream("1", 30000), OfferedStream("2", 30002, Law.A, "inactive")]
        parsed = parseSDP(describe("192.0.2.1", streams, 77, 3).serialize())
        self.assertEqual(parsed.warnings, ())
        self.assertEqual((parsed.origin.sessionID, parsed.origin.version), (77, 3))
        self.assertEqual([media.label for media in parsed.media], ["1", "2"])
        self.assertEqual([parsed.direction(0), parsed.direction(1)], ["sendonly", "inactive"])
        self.assertEqual([media.codecs[0].name for media in parsed.media], ["PCMU", "PCMA"])


class MetadataTests(SynchronousTestCase):
    """
    Metadata documents.
    """

    def test_wellFormed(self) -> None:
        """
        Names are escaped, and the order of elements is that of the schema.
        """
        document = makeMetadata(['Ann "<&>"', "tel:+4930123"], ["1", "2"])
        root = etree.fromstring(document)
        names = [etree.QName(child).localname for child in root]
        self.assertEqual(
            names,
            [
                *("datamode", "session", "participant", "participant", "stream", "stream"),
                *("sessionrecordingassoc", "participantsessionassoc", "participantsessionassoc"),
                *("participantstreamassoc", "participantstreamassoc"),
            ],
        )

    def test_parsed(self) -> None:
        """
        The recorder's own parser reads it without leniency: who sends which
        stream and who receives it.
        """
        parsed = parseMetadata(makeMetadata(["Ann", "tel:+4930123"], ["1", "2"]))
        self.assertEqual((parsed.status, parsed.mode, parsed.notes), ("ok", "complete", ()))
        ann, bob = parsed.participants
        self.assertEqual((ann.names[0].aor, ann.names[0].name), ("sip:ann@example.com", "Ann"))
        self.assertEqual((bob.names[0].aor, bob.names[0].name), ("tel:+4930123", None))
        one, two = parsed.streams
        self.assertEqual((one.label, two.label), ("1", "2"))
        first, second = parsed.participantStreams
        self.assertEqual((first.send, first.recv), ((one.id,), (two.id,)))
        self.assertEqual((second.send, second.recv), ((two.id,), (one.id,)))

    def test_mixed(self) -> None:
        """
        A single stream is sent by all.
        """
        parsed = parseMetadata(makeMetadata(["Ann", "\u00e4\u00f6"], ["1"]))
        [stream] = parsed.streams
        self.assertEqual([each.send for each in parsed.participantStreams], [(stream.id,)] * 2)


class BodyTests(SynchronousTestCase):
    """
    Bodies.
    """

    def test_both_A31(self) -> None:
        """
        Description and metadata together make a multipart/mixed.
        """
        contentType, body, more = makeBody(b"v=0\r\n", b"<x/>")
        assert contentType is not None
        first, second = leaves(parseBody(Headers([("Content-Type", contentType)]), body))
        self.assertEqual((first.body, second.body), (b"v=0\r\n", b"<x/>"))
        self.assertEqual(second.disposition, ("recording-session", ()))
        self.assertEqual(second.contentType, (METADATA_TYPE, ()))
        self.assertEqual(list(more), [])

    def test_single_A31(self) -> None:
        """
        One of them goes bare; metadata says what it is at message level.
        """
        self.assertEqual(makeBody(b"v=0\r\n", None), ("application/sdp", b"v=0\r\n", Headers()))
        contentType, body, more = makeBody(None, b"<x/>")
        self.assertEqual((contentType, body), (METADATA_TYPE, b"<x/>"))
        self.assertEqual(list(more), [("Content-Disposition", "recording-session")])
        self.assertEqual(makeBody(None, None), (None, b"", Headers()))
