"""
Tests of L{siprec.sip.model}.
"""

import copy
import pickle

from attrs import evolve
from attrs.exceptions import FrozenInstanceError
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.errors import BadHeader, BadURI
from siprec.sip.headers import CSeq, Headers
from siprec.sip.model import Request, Response
from siprec.sip.uri import parseURI

FIELDS = (
    ("v", "SIP/2.0/TCP a;branch=z9hG4bK1, SIP/2.0/UDP b;branch=z9hG4bK2"),
    ("From", "<sip:src@h>;tag=f"),
    ("To", "sip:srs@h"),
    ("Call-ID", "x@h"),
    ("CSeq", "7 INVITE"),
    ("Contact", "<sip:src@h>;+sip.src, <sip:other@h>"),
    ("Content-Type", "Application/SDP;Charset=UTF-8"),
)


class AccessorTests(SynchronousTestCase):
    """
    The structured values of a message.
    """

    request = Request("INVITE", "sip:srs@h", Headers(FIELDS), b"v=0\r\n")

    def test_values(self) -> None:
        """
        Each accessor gives the parsed header.
        """
        request = self.request
        self.assertEqual((request.callID, request.cseq), ("x@h", CSeq(7, "INVITE")))
        self.assertEqual((request.via.transport, request.via.branch), ("TCP", "z9hG4bK1"))
        self.assertEqual([via.host for via in request.vias], ["a", "b"])
        self.assertEqual((request.fromTag, request.toTag), ("f", None))
        self.assertEqual(request.fromAddr.uri, parseURI("sip:src@h"))
        self.assertEqual(request.toAddr.uri, request.requestURI)
        self.assertEqual([c.hasParam("+sip.src") for c in request.contacts], [True, False])
        self.assertEqual(request.contentType, ("application/sdp", (("Charset", "UTF-8"),)))

    def test_missing(self) -> None:
        """
        A header that is not there, or is wrong, raises L{BadHeader} each time
        it is asked for; Content-Type and Contact may be missing.
        """
        response = Response(200, "OK", Headers([("From", "x y"), ("To", "")]))
        for name in ("callID", "cseq", "via", "fromAddr", "fromTag", "toTag", "cseq"):
            self.assertRaises(BadHeader, getattr, response, name)
        self.assertEqual((response.vias, response.contacts), ([], []))
        self.assertIsNone(response.contentType)
        self.assertRaises(BadURI, getattr, Request("X", "nonsense"), "requestURI")

    def test_cached(self) -> None:
        """
        A value is parsed once.
        """
        self.assertIs(self.request.fromAddr, self.request.fromAddr)
        self.assertIs(self.request.vias[0], self.request.via)

    def test_cacheCannotBeChanged(self) -> None:
        """
        A list that was handed out is the caller's own.
        """
        self.request.vias.clear()
        self.request.contacts.clear()
        self.assertEqual((len(self.request.vias), len(self.request.contacts)), (2, 2))


class ValueTests(SynchronousTestCase):
    """
    Messages are immutable values.
    """

    def test_equal(self) -> None:
        """
        What has been asked of a message does not make it another one: not for
        comparison, hash, copy, pickle or C{evolve}.
        """
        one = Request("INVITE", "sip:srs@h", Headers(FIELDS))
        other = Request("INVITE", "sip:srs@h", Headers(FIELDS))
        _ = (one.via, one.cseq, one.requestURI)
        self.assertEqual(one, other)
        self.assertEqual(hash(one), hash(other))
        self.assertEqual(copy.deepcopy(one), other)
        self.assertEqual(pickle.loads(pickle.dumps(one)).cseq, one.cseq)
        changed = evolve(one, headers=one.headers.replacing("CSeq", "8 INVITE"))
        self.assertEqual((changed.cseq.number, one.cseq.number), (8, 7))

    def test_frozen(self) -> None:
        """
        No attribute can be set.
        """
        with self.assertRaises(FrozenInstanceError):
            Request("BYE", "sip:h").method = "ACK"  # type: ignore[misc]

    def test_reprHoldsNoBody(self) -> None:
        """
        A message in a log shows the size of its body, not its content.
        """
        text = repr(Response(200, "OK", body=b"secret"))
        self.assertNotIn("secret", text)
        self.assertIn("<6 bytes>", text)

    def test_oneLine(self) -> None:
        """
        A line break cannot get into the start line.
        """
        self.assertRaises(BadHeader, Request, "BYE\r\n", "sip:h")
        self.assertRaises(BadHeader, Request, "BYE", "sip:h\nX: y")
        self.assertRaises(BadHeader, Response, 200, "OK\rX")


class SerializeTests(SynchronousTestCase):
    """
    C{serialize}.
    """

    def test_request(self) -> None:
        """
        Start line, headers as they are, an empty line, the body byte for byte;
        bytes that are no UTF-8 come out as they came in.
        """
        request = Request("INFO", "sip:caf\udce9@h", Headers([("s", "\u00e9\udcff")]), b"\n\0\xff")
        self.assertEqual(
            request.serialize(),
            b"INFO sip:caf\xe9@h SIP/2.0\r\ns: \xc3\xa9\xff\r\nContent-Length: 3\r\n\r\n\n\0\xff",
        )

    def test_response(self) -> None:
        """
        The reason may be empty, its blank stays (RFC 4475 section 3.1.1.13).
        """
        self.assertEqual(
            Response(100, "").serialize(), b"SIP/2.0 100 \r\nContent-Length: 0\r\n\r\n"
        )

    def test_contentLength(self) -> None:
        """
        Content-Length is always right: corrected where it stands, and left as
        it is written where it is right.
        """
        for written, expected in (
            ("9", "Content-Length: 2"),
            ("x", "Content-Length: 2"),
            ("002", "l: 002"),
        ):
            data = Response(200, "OK", Headers([("l", written), ("X", "y")]), b"ab").serialize()
            self.assertEqual(data, f"SIP/2.0 200 OK\r\n{expected}\r\nX: y\r\n\r\nab".encode())
        doubled = Response(200, "OK", Headers([("l", "2"), ("Content-Length", "2")]), b"ab")
        self.assertEqual(doubled.serialize(), b"SIP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nab")
