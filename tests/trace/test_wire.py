"""
Tests of L{siprec.trace.wire}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.trace.ring import Entry
from siprec.trace.wire import BadQuery, Query, messageLine, noteLine, parseLine, parsePeer
from tests.trace.samples import OTHER, TCP, traced


class QueryTests(SynchronousTestCase):
    """
    What a reader asks for.
    """

    def test_line(self) -> None:
        """
        A query goes over the wire as one line.
        """
        for query in (Query(), Query(False, "a b\n", "", "192.0.2.7:5060"), Query(session="ü")):
            line = query.line()
            self.assertEqual(line.count(b"\n"), 1)
            self.assertEqual(Query.parse(line), query)

    def test_bad(self) -> None:
        """
        Anything else is refused, and a peer that is none as well.
        """
        for line in (
            *(b"", b"x", b"[]", b"7", b'{"a":1}', b'{"follow":1}', b'{"callID":7}', b"\xff"),
            *(b'{"peer":"x"}', b"[" * 4000),
        ):
            self.assertRaises(BadQuery, Query.parse, line)

    def test_peer(self) -> None:
        """
        A peer is an address, with or without a port.
        """
        for text, expected in (
            ("", ("", 0)),
            ("192.0.2.7", ("192.0.2.7", 0)),
            ("192.0.2.7:5060", ("192.0.2.7", 5060)),
            ("2001:DB8:0::7", ("2001:db8::7", 0)),
            ("[2001:db8::7]", ("2001:db8::7", 0)),
            ("[2001:db8::7]:5060", ("2001:db8::7", 5060)),
        ):
            self.assertEqual(parsePeer(text), expected)
        for text in ("sbc", "192.0.2.7:", "192.0.2.7:0", "192.0.2.7:65536", ":5060", "192.0.2.7:x"):
            error = self.assertRaises(BadQuery, parsePeer, text)
            self.assertIn(repr(text), str(error))


class LineTests(SynchronousTestCase):
    """
    What a node answers.
    """

    def test_message(self) -> None:
        """
        A message comes as it was, octet for octet, with its addresses.
        """
        data = bytes(range(256)) + "ü\u2028".encode()
        for flow in (TCP, OTHER):
            line = messageLine(Entry(7, 1.5, flow, True, b"secret"), data)
            self.assertEqual(line.count(b"\n"), 1)
            self.assertEqual(parseLine(line), ("message", traced(data, flow, True, 1.5)))

    def test_notes(self) -> None:
        """
        So do other facts.
        """
        self.assertEqual(parseLine(noteLine("missed", 7)), ("missed", 7))
        self.assertEqual(parseLine(noteLine("end", "")), ("end", ""))

    def test_bad(self) -> None:
        """
        What is no line of a node is an error.
        """
        for line in (
            *(b"x", b"[]", b"{}", b'{"a":1,"b":2}', b'{"message":{}}', b'{"message":7}'),
            noteLine("message", {"time": 1, "local": [1], "remote": []}),
        ):
            self.assertRaises(ValueError, parseLine, line)
