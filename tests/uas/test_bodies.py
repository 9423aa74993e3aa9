"""
Tests for L{siprec.uas.bodies}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.headers import Headers
from siprec.sip.multipart import Part, makeMultipart
from siprec.uas.bodies import ACCEPT, BadBody, Bodies, readBodies, readLeniently
from tests.uas.kit import METADATA, ONE, TWO, offer

SDP = ("application/sdp", offer(ONE, TWO))
XML = ("application/rs-metadata+xml", METADATA)
GTD = ("application/gtd", b"gtd")


def part(kind: str, body: bytes, *headers: tuple[str, str]) -> Part:
    """
    @param kind: its media type; empty: without.
    """
    return Part(Headers([*([("Content-Type", kind)] if kind else []), *headers]), body)


def read(*parts: Part, kind: str = "multipart/mixed") -> Bodies:
    """
    @return: what is understood of a message with these parts; one of a single
        part has no wrapping.
    """
    if len(parts) == 1:
        return readBodies(parts[0].headers, parts[0].body)
    contentType, body = makeMultipart(parts, "b")
    contentType = contentType.replace("multipart/mixed", kind)
    return readBodies(Headers([("Content-Type", contentType)]), body)


class ReadTests(SynchronousTestCase):
    """
    Descriptions and metadata, however wrapped (CONFORMANCE A30 to A33).
    """

    def _refused(self, *parts: Part) -> BadBody:
        error: BadBody = self.assertRaises(BadBody, read, *parts)
        return error

    def test_none(self) -> None:
        """
        A message without a body has nothing, whatever its type says.
        """
        self.assertEqual(readBodies(Headers([("Content-Type", "x/y")]), b""), Bodies())

    def test_A31_both(self) -> None:
        """
        Description and metadata, in either order, also in an alternative or an
        unknown kind of multipart.
        """
        for kind in ("multipart/mixed", "multipart/alternative", "multipart/x"):
            for parts in ((SDP, XML), (XML, SDP)):
                bodies = read(*(part(*each) for each in parts), kind=kind)
                self.assertEqual(bodies.sdp, SDP[1])
                self.assertEqual([each.body for each in bodies.documents], [METADATA])
                assert bodies.description is not None
                self.assertEqual(len(bodies.description.media), 2)
                self.assertEqual(bodies.notes, ())

    def test_A31_bare(self) -> None:
        """
        Each alone needs no wrapping.
        """
        self.assertEqual(read(part(*SDP)).documents, ())
        bodies = read(part(*XML))
        self.assertEqual((bodies.description, len(bodies.documents)), (None, 1))

    def test_A30_types(self) -> None:
        """
        The media type of metadata before and after RFC 9806, in any case, with
        parameters.
        """
        for kind in (
            "application/rs-metadata",
            "Application/RS-Metadata+XML;charset=utf-8",
            "text/xml",
            "application/xml",
        ):
            self.assertEqual(len(read(part(kind, METADATA)).documents), 1, kind)

    def test_A32_disposition(self) -> None:
        """
        The disposition alone says that it is metadata, too; a description is
        one all the same.
        """
        disposition = ("Content-Disposition", "Recording-Session")
        self.assertEqual(len(read(part("text/plain", METADATA, disposition)).documents), 1)
        self.assertIsNotNone(read(part(*SDP, disposition)).description)

    def test_A32_noType(self) -> None:
        """
        Without a type the first bytes tell.
        """
        self.assertIsNotNone(read(part("", SDP[1])).description)
        self.assertEqual(len(read(part("", b"\r\n" + METADATA)).documents), 1)
        self.assertEqual(self._refused(part("", b"hello")).status, 415)

    def test_otherXML(self) -> None:
        """
        Plain XML is metadata only if its root says so.
        """
        self.assertEqual(self._refused(part("text/xml", b"<note/>")).status, 415)

    def test_charset(self) -> None:
        """
        The charset of the part counts, however the parameter is written.
        """
        body = METADATA.decode().replace("Ann", "Änn").replace('encoding="UTF-8"', "")
        bodies = read(part('text/xml;CharSet="iso-8859-1"', body.encode("latin-1")))
        [document] = bodies.documents
        self.assertEqual(document.parsed.participants[0].names[0].name, "Änn")

    def test_A38_broken(self) -> None:
        """
        Metadata never raises.
        """
        [document] = read(part("application/rs-metadata", b"?")).documents
        self.assertEqual((document.body, document.parsed.status), (b"?", "error"))

    def test_manyDocuments(self) -> None:
        """
        More metadata than any peer has a use for is not read, and does not hide
        the description behind it.
        """
        one = part("application/rs-metadata", METADATA)
        self.assertEqual(read(*[one] * 8).notes, ())
        bodies = read(*[one] * 9, part(*SDP))
        self.assertEqual((len(bodies.documents), bodies.sdp), (8, SDP[1]))
        self.assertEqual(bodies.notes, ("of metadata documents only the first 8 are read",))

    def test_secondDescription(self) -> None:
        """
        A19b: of several descriptions the first counts.
        """
        bodies = read(part(*SDP), part(SDP[0], offer(ONE)))
        self.assertEqual(bodies.sdp, SDP[1])
        self.assertEqual(bodies.notes, ("more than one session description: the first counts",))

    def test_A31_unknownPart(self) -> None:
        """
        An unknown part is not used unless its sender insists on it.
        """
        for disposition in ((), (("Content-Disposition", "signal;handling=optional"),)):
            bodies = read(part(*SDP), part(*GTD, *disposition))
            self.assertEqual(bodies.notes, ("a part of type application/gtd was not used",))
        insisting = ("Content-Disposition", 'signal;handling="required"')
        error = self._refused(part(*SDP), part(*GTD, insisting))
        self.assertEqual(error.status, 415)
        self.assertEqual(error.headers, (("Accept", ACCEPT), ("Accept-Encoding", "identity")))

    def test_A31_unknownBody(self) -> None:
        """
        An unknown body is refused unless its sender says that it may be left
        out (RFC 3261 section 20.11).
        """
        self.assertEqual(self._refused(part(*GTD)).status, 415)
        optional = ("Content-Disposition", "signal;handling=optional")
        bodies = read(part(*GTD, optional))
        self.assertEqual(bodies.notes, ("a part of type application/gtd was not used",))

    def test_A33_gzip(self) -> None:
        """
        An unknown encoding: 415, and which ones would do.
        """
        error = self._refused(part(*SDP, ("Content-Encoding", "gzip")))
        self.assertEqual((error.status, dict(error.headers)["Accept-Encoding"]), (415, "identity"))

    def test_unreadable(self) -> None:
        """
        A description without a line, and a multipart body that is none: 400.
        """
        error = self._refused(part("application/sdp", b"v=0\r\n"))
        self.assertEqual((error.status, error.headers), (400, ()))
        self.assertIn("session description", error.why)
        self.assertEqual(self._refused(part("multipart/mixed", b"?")).status, 400)

    def test_notes(self) -> None:
        """
        What the description had to be forgiven is noted.
        """
        [note] = read(part(SDP[0], SDP[1].replace(b"o=src ", b"o="))).notes
        self.assertIn("o= line", note)

    def test_leniently(self) -> None:
        """
        Where there is nothing to refuse, the reason becomes a note.
        """
        self.assertEqual(
            readLeniently(Headers([("Content-Type", "x/y")]), b"?"),
            Bodies(notes=("x/y is not understood",)),
        )
        self.assertEqual(
            len(readLeniently(Headers([("Content-Type", XML[0])]), METADATA).documents), 1
        )

    def test_private(self) -> None:
        """
        Bodies do not belong into a log.
        """
        self.assertNotIn("audio 4", repr(Bodies(sdp=SDP[1])))


class SendsOnlyTests(SynchronousTestCase):
    """
    A client that only sends.
    """

    def _sendsOnly(self, *directions: str) -> bool:
        sdp = b"v=0\r\nc=IN IP4 192.0.2.7\r\n"
        for direction in directions:
            port = 0 if direction == "gone" else 40000
            sdp += f"m=audio {port} RTP/AVP 0\r\na={direction}\r\n".encode()
        return readBodies(Headers([("Content-Type", "application/sdp")]), sdp).sendsOnly()

    def test_sendsOnly(self) -> None:
        """
        At least one line is sent and none received; lines that are off do not
        count.
        """
        self.assertTrue(self._sendsOnly("sendonly"))
        self.assertTrue(self._sendsOnly("sendonly", "inactive", "gone"))
        for others in (("sendrecv",), ("sendonly", "recvonly"), ("inactive",), ("gone",)):
            self.assertFalse(self._sendsOnly(*others), others)
        self.assertFalse(Bodies().sendsOnly())
