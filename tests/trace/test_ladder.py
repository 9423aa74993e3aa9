"""
Tests of L{siprec.trace.ladder}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.trace import ladder as module
from siprec.trace.ladder import Ladder, byCall
from siprec.trace.wire import TracedMessage
from tests.trace.samples import NOON, OTHER, TCP, sip, traced


class LadderTests(SynchronousTestCase):
    """
    Messages as lines.
    """

    def draw(self, *messages: TracedMessage, full: bool = False) -> list[str]:
        """
        @return: the lines of these messages.
        """
        ladder = Ladder(full)
        return [line for message in messages for line in ladder.lines(message)]

    def test_call(self) -> None:
        """
        A call begins with its Call-ID; each message is an arrow from or to the node, with
        its time, how long after the one before it came, and what it came by.
        """
        peer, node = "  [1]         192.0.2.7:5070 ", "| 192.0.2.9:5060         UDP "
        self.assertEqual(
            self.draw(
                traced(sip("INVITE")),
                traced(sip("100 Trying"), sent=True, time=NOON + 0.002),
                traced(sip("200 OK"), sent=True, time=NOON + 0.25),
            ),
            [
                "[1] call-1",
                f"09:00:00.250000    +0.000{peer}|-- INVITE (1) ------------------------>{node}88",
                f"09:00:00.252000    +0.002{peer}|<------------- 100 Trying (1 INVITE) --{node}74",
                f"09:00:00.500000    +0.248{peer}|<----------------- 200 OK (1 INVITE) --{node}70",
            ],
        )

    def test_calls(self) -> None:
        """
        Messages of several calls have the numbers of their calls; columns grow
        with the addresses.
        """
        lines = self.draw(
            traced(sip(callID="a")), traced(sip(callID="b"), OTHER), traced(sip("BYE", "a"), TCP)
        )
        self.assertEqual((lines[0], lines[2]), ("[1] a", "[2] b"))
        self.assertIn("[2]     [2001:db8::8]:5060 |--", lines[3])
        self.assertIn("[1]         192.0.2.7:5070 |-- BYE (1) ", lines[4])
        self.assertIn("TCP ", lines[4])

    def test_full(self) -> None:
        """
        Messages can be written out below their arrows, without what a terminal would obey.
        """
        data = sip(body=b"v=0\r\n\x1b[2J\xff\r\n")
        lines = self.draw(traced(data), full=True)
        self.assertEqual(
            lines[2:4], ["    INVITE sip:srs@192.0.2.9 SIP/2.0", "    Call-ID: call-1"]
        )
        self.assertEqual(lines[-4:], ["", "    v=0", "    \\x1b[2J\\xff", ""])

    def test_hostile(self) -> None:
        """
        What peers write stays within its column, and moves no cursor.
        """
        long, control = sip("X" * 80, "i" * 900), sip("INVITE", "a\x1b[2J", 1)
        first, arrow, second, _ = self.draw(traced(long), traced(control))
        self.assertEqual(len(first), 204)
        self.assertIn("|-- XXXXXXXXXXXXXXXXXXXXXXXXXXXXXX... ->|", arrow)
        self.assertEqual(second, "[2] a\\x1b[2J")

    def test_noSIP(self) -> None:
        """
        What is no SIP is shown as such.
        """
        first, arrow = self.draw(traced(b"\x16\x03"))
        self.assertEqual(first, "[1] without a Call-ID")
        self.assertIn("|-- no SIP ", arrow)

    def test_bounded(self) -> None:
        """
        Not all calls that ever were are remembered.
        """
        self.patch(module, "_CALLS", 2)
        lines = self.draw(*(traced(sip(callID=each)) for each in "abca"))
        self.assertEqual(lines[::2], ["[1] a", "[2] b", "[3] c", "[4] a"])

    def test_byCall(self) -> None:
        """
        Messages can be put in the order of their calls.
        """
        a, b, again = (traced(sip(callID=each)) for each in ("a", "b", "a"))
        self.assertEqual(byCall([a, b, again]), [[a, again], [b]])
