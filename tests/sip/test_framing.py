"""
Tests of L{siprec.sip.framing}.
"""

from time import process_time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.errors import BadMessage
from siprec.sip.framing import (
    MAX_BODY,
    MAX_HEAD,
    Framed,
    Invalid,
    Ping,
    StreamFramer,
    parseDatagram,
)
from siprec.sip.message import Request, Response, parseMessage
from tests.sip.vectors import PROPERTY, SDP, message

INVITE = message(body=SDP)
BYE = message("BYE sip:srs@192.0.2.9 SIP/2.0")
OK = message("SIP/2.0 200 OK", body=b"\r\n\r\n\r\nnot a message\r\n\r\n")
BAD = message("INFO sip:srs@192.0.2.9 SIP/2.0", {"CSeq": "1 BYE"}, b"BYE sip:x SIP/2.0\r\n\r\n")


def shown(items: list[Framed]) -> list[object]:
    """
    What can be compared.
    """
    return [
        (str(item.error), item.error.status, item.error.request, item.fatal)
        if isinstance(item, Invalid)
        else item
        for item in items
    ]


class DatagramTests(SynchronousTestCase):
    """
    L{parseDatagram}.
    """

    def refused(self, data: bytes, status: int | None, answerable: bool) -> None:
        """
        Assert how a datagram is refused.
        """
        error = self.assertRaises(BadMessage, parseDatagram, data)
        self.assertEqual((error.status, error.request is not None), (status, answerable))

    def test_whole(self) -> None:
        """
        A datagram holds one message.
        """
        self.assertEqual(parseDatagram(INVITE), parseMessage(INVITE))
        self.assertEqual(parseDatagram(b"\r\n" + OK), parseMessage(OK))

    def test_surplus(self) -> None:
        """
        What comes after Content-Length bytes is no part of the message (RFC
        3261 section 18.3, RFC 4475 section 3.1.1.8).
        """
        self.assertEqual(parseDatagram(INVITE + b"\r\n" + BYE), parseMessage(INVITE))

    def test_noContentLength(self) -> None:
        """
        Without Content-Length the body reaches to the end of the datagram.
        """
        found = parseDatagram(message(fields={"Content-Length": None}, body=SDP))
        assert isinstance(found, Request)
        self.assertEqual(found.body, SDP)

    def test_short(self) -> None:
        """
        A request that is cut short is answered with 400, a response dropped
        (RFC 3261 section 18.3, RFC 4475 section 3.1.2.2).
        """
        self.refused(INVITE[:-1], 400, True)
        self.refused(OK[:-1], None, False)
        self.refused(message("ACK sip:srs@h SIP/2.0", body=SDP)[:-1], None, False)
        self.refused(INVITE[: INVITE.index(SDP) - 2], 400, True)

    def test_badContentLength(self) -> None:
        """
        A Content-Length that is doubled or no number is refused, even if the
        doubles agree (RFC 4475 sections 3.1.2.3 and 3.3.9).
        """
        self.refused(message(fields={"Content-Length": "-999"}, body=SDP), 400, True)
        self.refused(message(more="l: 0\r\n"), 400, True)

    def test_keepalives(self) -> None:
        """
        Empty lines, zeros and STUN are no messages and get no answer (RFC
        5626 sections 3.5 and 4.4).
        """
        stun = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + b"t" * 12
        for data in (b"", b"\r\n", b"\r\n\r\n", b"\0\0\0\0", b"\r\n\0", stun, b"\x01" + stun[1:]):
            self.assertIsNone(parseDatagram(data))

    def test_noise(self) -> None:
        """
        Anything else is refused, without an answer.
        """
        for data in (b"hello", b"\x80\x00\x01", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100):
            self.refused(data, 400, False)

    def test_large(self) -> None:
        """
        A message may fill the largest datagram.
        """
        body = b"x" * (65507 - len(message(body=b"x" * 60000)) + 60000)
        found = parseDatagram(message(body=body))
        assert isinstance(found, Request)
        self.assertEqual(len(found.body), len(body))

    def test_everyPrefix(self) -> None:
        """
        Cut anywhere, a datagram raises nothing but L{BadMessage}.
        """
        self.assertIsNone(parseDatagram(INVITE[:0]))
        for length in range(1, len(INVITE)):
            self.assertRaises(BadMessage, parseDatagram, INVITE[:length])


class StreamTests(SynchronousTestCase):
    """
    L{StreamFramer}.
    """

    def test_several(self) -> None:
        """
        One segment may hold several messages; a body may look like a message
        or like a keepalive.
        """
        framer = StreamFramer()
        self.assertEqual(
            framer.feed(INVITE + OK + b"\r\n" + BYE),
            [parseMessage(INVITE), parseMessage(OK), parseMessage(BYE)],
        )
        self.assertFalse(framer.partial)

    def test_witness(self) -> None:
        """
        The octets of each message are shown as they came, also where it cannot be
        acted on; what is between messages is not.
        """
        seen: list[bytes] = []
        framer = StreamFramer(lambda *parts: seen.append(b"".join(parts)))
        framer.feed(INVITE[:100])
        self.assertEqual(seen, [])
        framer.feed(INVITE[100:] + b"\r\n\r\n" + OK + BAD)
        self.assertEqual(seen, [INVITE, OK, BAD])
        fatal = BYE.replace(b"Content-Length: 0", b"Content-Length: x")
        framer.feed(fatal + b"more")
        self.assertEqual(seen[3:], [fatal])

    def test_witnessOfTooLong(self) -> None:
        """
        Of a head that is too long what may be one is shown.
        """
        seen: list[bytes] = []
        framer = StreamFramer(lambda *parts: seen.append(b"".join(parts)))
        long = BYE.replace(b"\r\n\r\n", b"\r\nX: " + b"x" * MAX_HEAD)
        framer.feed(long)
        self.assertEqual(seen, [long[:MAX_HEAD]])

    def test_byteByByte(self) -> None:
        """
        A message is there with its last byte, not before.
        """
        framer = StreamFramer()
        for position in range(len(INVITE) - 1):
            self.assertEqual(framer.feed(INVITE[position : position + 1]), [])
            self.assertTrue(framer.partial)
        self.assertEqual(framer.feed(INVITE[-1:]), [parseMessage(INVITE)])
        self.assertFalse(framer.partial)

    def test_noBody(self) -> None:
        """
        A message without a body ends with its empty line.
        """
        framer = StreamFramer()
        self.assertEqual(framer.feed(BYE[:-1]), [])
        self.assertEqual(framer.feed(BYE[-1:]), [parseMessage(BYE)])

    def test_keepalive(self) -> None:
        """
        Two empty lines between messages are a L{Ping}, one is nothing (RFC
        5626 section 4.4.1); neither is an unfinished message.
        """
        framer = StreamFramer()
        self.assertEqual(framer.feed(b"\r\n"), [])
        self.assertFalse(framer.partial)
        self.assertEqual(framer.feed(b"\r\n"), [Ping()])
        self.assertEqual(framer.feed(b"\r\n\r"), [])
        self.assertEqual(framer.feed(BYE), [parseMessage(BYE)])
        self.assertEqual(framer.feed(b"\r\n\r\n\r\n\r\n\n" + BYE[:5]), [Ping(), Ping()])
        self.assertTrue(framer.partial)

    def test_bad(self) -> None:
        """
        A bad message whose end is known is skipped; the connection lives.
        """
        found = StreamFramer().feed(BAD + BYE)
        assert isinstance(found[0], Invalid)
        self.assertEqual((found[0].fatal, found[0].error.status), (False, 400))
        self.assertEqual(found[1:], [parseMessage(BYE)])

    def test_waits(self) -> None:
        """
        A body that is still to come is waited for (RFC 4475 section 3.1.2.2).
        """
        framer = StreamFramer()
        self.assertEqual(framer.feed(message(fields={"Content-Length": "9999"}, body=SDP)), [])
        self.assertTrue(framer.partial)

    def assertFatal(self, data: bytes, status: int | None, answerable: bool) -> None:
        """
        Assert that nobody can tell where the next message begins.
        """
        framer = StreamFramer()
        found = framer.feed(data + BYE)
        assert isinstance(found[0], Invalid)
        error = found[0].error
        self.assertEqual((len(found), found[0].fatal, error.status), (1, True, status))
        self.assertEqual(error.request is not None, answerable)
        self.assertEqual((framer.feed(BYE), framer.partial), ([], False))

    def test_noFraming(self) -> None:
        """
        A Content-Length that is missing, doubled, negative or no number ends
        the stream (RFC 3261 section 20.14, RFC 4475 sections 3.1.2.3 and
        3.3.9).
        """
        for fields, more in (
            ({"Content-Length": None}, ""),
            ({}, "l: 5\r\n"),
            ({"Content-Length": "-999"}, ""),
            ({"Content-Length": "x"}, ""),
        ):
            self.assertFatal(message(fields=fields, more=more), 400, True)
        self.assertFatal(message("SIP/2.0 200 OK", {"Content-Length": None}), None, False)

    def test_noSIP(self) -> None:
        """
        Another protocol ends the stream.
        """
        self.assertFatal(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400, False)

    def test_limits(self) -> None:
        """
        Head and body have limits; beyond them a request is answered, and the
        stream ends.
        """
        self.assertFatal(message(more="X: y\r\n" * (MAX_HEAD // 6)), 513, True)
        self.assertFatal(message(fields={"Content-Length": str(MAX_BODY + 1)}), 413, True)
        self.assertFatal(b"x" * (MAX_HEAD + 4), 400, False)
        filler = "X: " + "y" * (MAX_HEAD - len(BYE) - 3 + 2) + "\r\n"
        largest = message("BYE sip:srs@192.0.2.9 SIP/2.0", more=filler)
        self.assertEqual(largest.index(b"\r\n\r\n"), MAX_HEAD)
        self.assertEqual(StreamFramer().feed(largest), [parseMessage(largest)])
        largest = message(body=b"z" * MAX_BODY)
        self.assertEqual(StreamFramer().feed(largest), [parseMessage(largest)])

    @PROPERTY
    @given(
        st.lists(
            st.sampled_from(
                [INVITE, BYE, OK, BAD, b"\r\n\r\n", b"\r\n", b"\n", b"\r", b"X\r\n\r\n", BYE[:40]]
            ),
            max_size=8,
        ),
        st.lists(st.integers(0, 3000), max_size=12),
    )
    def test_segmentation(self, pieces: list[bytes], cuts: list[int]) -> None:
        """
        However a stream is cut into segments, the same comes out.
        """
        data = b"".join(pieces)
        whole = StreamFramer()
        expected = shown(whole.feed(data))
        ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
        cut, start = StreamFramer(), 0
        found: list[Framed] = []
        for end in ends:
            found += cut.feed(data[start:end])
            start = end
        self.assertEqual(shown(found), expected)
        self.assertEqual(cut.partial, whole.partial)
        slow = StreamFramer()
        found = [item for i in range(len(data)) for item in slow.feed(data[i : i + 1])]
        self.assertEqual(shown(found), expected)

    def test_everyCut(self) -> None:
        """
        Two segments, cut at each byte of a message with a body full of empty
        lines.
        """
        expected = [parseMessage(OK), parseMessage(BYE)]
        for position in range(len(OK + BYE)):
            framer = StreamFramer()
            found = framer.feed((OK + BYE)[:position]) + framer.feed((OK + BYE)[position:])
            self.assertEqual(found, expected)

    def test_linear(self) -> None:
        """
        Feeding byte by byte costs linear time: in a long head, a long body and
        a flood of line breaks.
        """
        started = process_time()
        for data in (
            b"x" * (MAX_HEAD + 3),
            b"\n" * 200_000,
            b"\r\n" * 100_000,
            message(body=b"x" * 200_000),
            BYE * 500,
        ):
            framer = StreamFramer()
            for position in range(len(data)):
                framer.feed(data[position : position + 1])
        framed = StreamFramer().feed(BYE * 5000)
        self.assertEqual(len(framed), 5000)
        self.assertTrue(all(isinstance(item, Request | Response) for item in framed))
        self.assertLess(process_time() - started, 20)
