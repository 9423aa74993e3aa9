"""
Tests of L{siprec.sip.multipart}.
"""

import base64
from time import process_time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.headers import Headers
from siprec.sip.multipart import (
    MAX_DEPTH,
    MAX_LINES,
    MAX_PARTS,
    BadMultipart,
    Part,
    leaves,
    makeMultipart,
    parseBody,
)
from tests.sip.vectors import PROPERTY, SDP

XML = b'<?xml version="1.0"?>\n<recording xmlns="urn:ietf:params:xml:ns:recording:1"/>\n'


def headers(contentType: str = "multipart/mixed;boundary=b", **more: str) -> Headers:
    """
    The headers of a message with a body.
    """
    fields = [(name.replace("_", "-"), value) for name, value in more.items()]
    return Headers([("Content-Type", contentType), *fields])


def bodies(body: bytes, contentType: str = "multipart/mixed;boundary=b") -> list[bytes]:
    """
    The bodies of all leaves.
    """
    return [leaf.body for leaf in leaves(parseBody(headers(contentType), body))]


class SingleTests(SynchronousTestCase):
    """
    Bodies that are not multipart.
    """

    def test_A31_bare(self) -> None:
        """
        A single body goes bare, with its disposition in the message's headers
        (RFC 7866 section 9.1).
        """
        part = parseBody(
            headers("Application/RS-Metadata", Content_Disposition="Recording-Session"), XML
        )
        self.assertEqual(part.contentType, ("application/rs-metadata", ()))
        self.assertEqual(part.disposition, ("recording-session", ()))
        self.assertEqual((leaves(part), part.parts, part.body), ([part], (), XML))

    def test_noBody(self) -> None:
        """
        A message without a body has no leaves; an empty body of a type is one.
        """
        part = parseBody(Headers(), b"")
        self.assertEqual((leaves(part), part.contentType, part.disposition), ([], None, None))
        self.assertEqual(len(leaves(parseBody(headers("text/plain"), b""))), 1)

    def test_A32_noType(self) -> None:
        """
        A body of unknown type is kept, for its root element to tell what it is.
        """
        self.assertEqual(leaves(parseBody(Headers(), XML))[0].body, XML)

    def test_A33_encodings(self) -> None:
        """
        base64 and quoted-printable are decoded; binary, 8bit and 7bit mean
        nothing.
        """
        for encoding, body in (
            ("base64", base64.encodebytes(XML)),
            ("BASE64", base64.b64encode(XML)),
            ("quoted-printable", XML.replace(b"=", b"=3D").replace(b"?>", b"?=\r\n>")),
            ("8Bit", XML),
            ("binary", XML),
            ("7bit", XML),
        ):
            part = parseBody(headers("a/b", Content_Transfer_Encoding=encoding), body)
            self.assertEqual(part.body, XML, encoding)

    def test_A33_unknownEncodings(self) -> None:
        """
        A body that we cannot decode is answered with 415 (RFC 3261 section
        21.4.13), broken base64 with 400.
        """
        for name, value, status in (
            ("Content_Encoding", "gzip", 415),
            ("Content_Transfer_Encoding", "x-uuencode", 415),
            ("Content_Transfer_Encoding", "base64", 400),
        ):
            error = self.assertRaises(
                BadMultipart, parseBody, headers("a/b", **{name: value}), b"x"
            )
            self.assertEqual(error.status, status)
        parseBody(headers("a/b", Content_Encoding="identity"), b"x")

    def test_optionalEncodings(self) -> None:
        """
        An optional part that we cannot decode is no reason to refuse the call.
        """
        for name in ("Content_Encoding", "Content_Transfer_Encoding"):
            more = {name: "x", "Content_Disposition": "render;handling=optional"}
            self.assertEqual(parseBody(headers("a/b", **more), b"raw").body, b"raw")

    def test_reprHoldsNoBody(self) -> None:
        """
        A part in a log shows its size, not its content.
        """
        self.assertNotIn("secret", repr(Part(Headers(), b"secret")))


class MultipartTests(SynchronousTestCase):
    """
    L{parseBody} with the multipart bodies that are seen in the field.
    """

    def test_A31_offerAndMetadata(self) -> None:
        """
        SDP and metadata are parts of multipart/mixed (RFC 7866 section 9.1);
        text before and after is ignored (RFC 2046 section 5.1.1).
        """
        part = parseBody(
            headers('multipart/mixed;boundary="b"'),
            b"preamble\r\n--b\r\nContent-Type: application/SDP\r\n\r\n" + SDP + b"\r\n--b\r\n"
            b"c: application/rs-metadata+xml;charset=UTF-8\r\n"
            b"Content-Disposition: recording-session\r\n\r\n" + XML + b"\r\n--b--\r\nepilogue",
        )
        sdp, xml = part.parts
        self.assertEqual((sdp.body, xml.body), (SDP, XML))
        self.assertEqual(sdp.contentType, ("application/sdp", ()))
        self.assertEqual(xml.contentType, ("application/rs-metadata+xml", (("charset", "UTF-8"),)))
        self.assertEqual(xml.disposition, ("recording-session", ()))

    def test_A33_byteExact(self) -> None:
        """
        Only the line break before a delimiter belongs to the delimiter: bare
        LF, NUL, and line breaks at either end stay (J11).
        """
        for body in (
            b"",
            b"\n",
            b"\r\n",
            b"a\nb\r\nc\r",
            b"\0\xff\r\n\r\n",
            b"\r\n" + XML,
            b"--b-",
        ):
            whole = b"--b\r\nX: y\r\n\r\n" + body + b"\r\n--b--"
            self.assertEqual(bodies(whole), [body] if body else [])
            self.assertEqual(parseBody(headers(), whole).parts[0].body, body)

    def test_A33_blanksAfterTheBoundary(self) -> None:
        """
        Blanks may follow a delimiter (RFC 2046 calls them transport padding).
        """
        self.assertEqual(bodies(b"--b \r\n\r\n1\r\n--b\t \r\n\r\n2\r\n--b-- \r\n"), [b"1", b"2"])

    def test_A33_noClosingDelimiter(self) -> None:
        """
        The last delimiter may lack its C{--}, or be missing altogether.
        """
        self.assertEqual(bodies(b"--b\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b\r\n"), [b"1", b"2"])
        self.assertEqual(bodies(b"--b\r\n\r\n1\r\n--b\r\n\r\n2"), [b"1", b"2"])
        self.assertEqual(bodies(b"--b\r\n\r\n1\r\n--b"), [b"1"])

    def test_A33_bareLF(self) -> None:
        """
        Lines of the multipart itself may end in LF alone.
        """
        part = parseBody(headers(), b"\n--b\nX: y\nZ: 1\n\n1\n2\n--b\n\n3\n--b--\n")
        self.assertEqual([leaf.body for leaf in leaves(part)], [b"1\n2", b"3"])
        self.assertEqual(part.parts[0].headers, Headers([("X", "y"), ("Z", "1")]))

    def test_A33_headers(self) -> None:
        """
        Part headers may come without a blank after the colon and folded; a
        Content-Length in them is not believed.
        """
        part = parseBody(
            headers(),
            b"--b\r\nContent-Type:application/sdp;\r\n\tcharset=x\r\nContent-Length: 1\r\n\r\nabc"
            b"\r\n--b--",
        ).parts[0]
        self.assertEqual(part.contentType, ("application/sdp", (("charset", "x"),)))
        self.assertEqual(part.body, b"abc")

    def test_noEmptyLine(self) -> None:
        """
        What does not look like a header begins the body.
        """
        self.assertEqual(bodies(b"--b\r\n" + XML + b"\r\n--b--"), [XML])
        for body in (XML, b""):
            part = parseBody(headers(), b"--b\r\nX: y\r\n" + body + b"\r\n--b--").parts[0]
            self.assertEqual((part.headers.get("X"), part.body), ("y", body))

    def test_boundaries(self) -> None:
        """
        A boundary may be quoted, may hold what means something in a pattern,
        and is not found within a longer one or within a line.
        """
        for written, used in (
            ('"a b;c"', b"a b;c"),
            ("----=_Part.1(x)*", b"----=_Part.1(x)*"),
            ("x;charset=y", b"x"),
        ):
            delimiter = b"--" + used
            whole = (
                delimiter + b"\r\n\r\n1 " + delimiter + b"\r\n" + delimiter + b"z\r\n" + delimiter
            )
            self.assertEqual(
                bodies(whole + b"--", f"multipart/mixed;boundary={written}"),
                [b"1 " + delimiter + b"\r\n" + delimiter + b"z"],
            )

    def test_noBoundaryParameter(self) -> None:
        """
        Without the parameter, the first delimiter tells the boundary.
        """
        self.assertEqual(bodies(b"\r\n----=x \r\n\r\n1\r\n----=x--\r\n", "multipart/mixed"), [b"1"])
        self.assertRaises(BadMultipart, bodies, b"nothing", "multipart/mixed")
        self.assertRaises(BadMultipart, bodies, b"--\r\n", 'multipart/mixed;boundary=""')

    def test_noDelimiter(self) -> None:
        """
        A multipart without a delimiter is refused with 400; one without parts
        is empty.
        """
        error = self.assertRaises(BadMultipart, bodies, SDP)
        self.assertEqual(error.status, 400)
        self.assertEqual(bodies(b"--b--\r\n"), [])

    def test_A31_nested(self) -> None:
        """
        Multipart within multipart is taken apart, and every kind but mixed and
        alternative is read as mixed (RFC 5621 section 4).
        """
        inner = b"--i\r\n\r\n1\r\n--i\r\n\r\n2\r\n--i--"
        for kind in ("alternative", "mixed", "related", "unheard-of"):
            typed = f"Content-Type: Multipart/{kind};boundary=i\r\n\r\n".encode()
            whole = b"--b\r\n" + typed + inner + b"\r\n--b\r\n\r\n3\r\n--b--"
            part = parseBody(headers(), whole)
            self.assertEqual([leaf.body for leaf in leaves(part)], [b"1", b"2", b"3"])
            self.assertEqual(part.parts[0].body, inner)

    def test_A31_handling(self) -> None:
        """
        A part is required unless it says otherwise (RFC 3261 section 20.11).
        """
        for text, required in (
            ("signal;handling=optional", False),
            ('signal;Handling="OPTIONAL"', False),
            ("session;handling=required", True),
            ("session", True),
        ):
            part = Part(Headers([("Content-Disposition", text)]))
            self.assertIs(part.handlingRequired, required, text)
        self.assertIs(Part(Headers()).handlingRequired, True)

    def test_A33_encodedParts(self) -> None:
        """
        Each part has its own encoding; one that is unknown refuses the whole,
        unless it is optional.
        """
        coded = b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\nYWJj\r\n--b--"
        self.assertEqual(bodies(coded), [b"abc"])
        gzipped = b"--b\r\nContent-Encoding: gzip\r\n\r\nx\r\n--b--"
        self.assertEqual(self.assertRaises(BadMultipart, bodies, gzipped).status, 415)

    def test_limits(self) -> None:
        """
        Depth and number of parts have limits.
        """
        whole = b"x"
        for level in range(MAX_DEPTH + 1):
            inner = b"Content-Type: multipart/mixed;boundary=%d\r\n" % (level - 1)
            head = b"--%d\r\n%s\r\n" % (level, inner if level else b"")
            whole = head + whole + b"\r\n--%d--" % level
            if level == MAX_DEPTH - 1:
                self.assertEqual(bodies(whole, f"multipart/mixed;boundary={level}"), [b"x"])
        self.assertRaises(BadMultipart, bodies, whole, f"multipart/mixed;boundary={MAX_DEPTH}")
        part = b"\r\n--b\r\n\r\nx"
        self.assertEqual(len(bodies(part * MAX_PARTS)), MAX_PARTS)
        self.assertRaises(BadMultipart, bodies, part * (MAX_PARTS + 1))

    def test_manyHeaders(self) -> None:
        """
        After so many header lines, what follows is the body.
        """
        lines = b"X: y\r\n" * (MAX_LINES + 2)
        self.assertEqual(bodies(b"--b\r\n" + lines + b"\r\n--b--"), [b"X: y\r\n" * 2])

    @PROPERTY
    @given(
        st.lists(
            st.sampled_from(
                [
                    *(
                        b"--b",
                        b"--b--",
                        b"--",
                        b"\r\n",
                        b"\n",
                        b"\r",
                        b" ",
                        b":",
                        b"=",
                        b"\0",
                        b"\xff",
                    ),
                    *(b"Content-Type: ", b"multipart/mixed;boundary=b", b"multipart/x", b"X: y"),
                    *(b"Content-Transfer-Encoding: base64", b"Content-Encoding: gzip"),
                ]
            ),
            max_size=30,
        )
    )
    def test_anyBytes(self, pieces: list[bytes]) -> None:
        """
        Only L{BadMultipart} comes out, and no byte of a leaf is invented.
        """
        data = b"".join(pieces)
        for kind in ("multipart/mixed;boundary=b", "multipart/mixed", "text/plain"):
            try:
                found = bodies(data, kind)
            except BadMultipart:
                continue
            if b"base64" not in data:
                self.assertTrue(all(body in data for body in found))

    def test_linear(self) -> None:
        """
        256 KiB of the worst bytes cost milliseconds, not minutes.
        """
        started = process_time()
        for unit in (
            b"--b\r\n",
            b"--b ",
            b"--",
            b"\r\n",
            b"\n ",
            b"A: b\n c",
            b" ",
            b"--b\nA: b\n ",
        ):
            for start in (b"", b"--b\r\nA: b"):
                data = start + (unit * (1 << 18))[: 1 << 18]
                for kind in ("multipart/mixed;boundary=b", "multipart/mixed"):
                    try:
                        bodies(data, kind)
                    except BadMultipart:
                        continue
        self.assertLess(process_time() - started, 60)


class MakeTests(SynchronousTestCase):
    """
    L{makeMultipart}.
    """

    def test_written(self) -> None:
        """
        Each part with its headers, between delimiters.
        """
        kind, body = makeMultipart(
            [Part(headers("application/sdp"), b"v=0\r\n"), Part(Headers(), b"x")], "b"
        )
        self.assertEqual(kind, "multipart/mixed;boundary=b")
        self.assertEqual(
            body,
            b"--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
        )

    def test_boundary(self) -> None:
        """
        A boundary that is no token is quoted; one that a part contains is
        refused, as is a multipart without parts (RFC 2046 section 5.1.1).
        """
        parts = [Part(Headers(), b"a --x y")]
        self.assertEqual(makeMultipart(parts, "a b")[0], 'multipart/mixed;boundary="a b"')
        self.assertRaises(ValueError, makeMultipart, parts, "x")
        self.assertRaises(ValueError, makeMultipart, [])

    def test_decoded(self) -> None:
        """
        A part that came encoded goes out as it is now.
        """
        source = headers("a/b", Content_Transfer_Encoding="base64", Content_Length="4")
        _, body = makeMultipart([parseBody(source, b"YWJj")], "b")
        self.assertEqual(body, b"--b\r\nContent-Type: a/b\r\n\r\nabc\r\n--b--\r\n")

    @PROPERTY
    @given(st.lists(st.binary(), min_size=1, max_size=5))
    def test_inverse(self, contents: list[bytes]) -> None:
        """
        What was put together is taken apart again, byte for byte.
        """
        parts = tuple(Part(headers("application/x"), content) for content in contents)
        kind, body = makeMultipart(parts)
        self.assertEqual(parseBody(headers(kind), body).parts, parts)
