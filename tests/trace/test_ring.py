"""
Tests of L{siprec.trace.ring}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.flow import Witness
from siprec.trace.ring import TraceRing
from tests.trace.samples import TCP, UDP


class RingTests(SynchronousTestCase):
    """
    The last messages.
    """

    def setUp(self) -> None:
        self.time = 5.0

    def make(self, messages: int = 3, limit: int = 100) -> TraceRing:
        """
        @return: a ring on the test's clock.
        """
        return TraceRing(messages, limit, lambda: self.time)

    def kept(self, ring: TraceRing) -> list[bytes]:
        """
        @return: what is in it, the oldest first.
        """
        return [ring.get(number).data for number in range(ring.first, ring.end)]

    def test_note(self) -> None:
        """
        A message is kept with its time, its way and its direction; its parts
        are put together when it is read.
        """
        ring = self.make()
        witness: Witness = ring.note
        witness(UDP, False, b"one")
        self.time = 6.0
        witness(TCP, True, b"head", b"--", b"body")
        first, second = ring.get(0), ring.get(1)
        self.assertEqual((first.number, first.time, first.sent), (0, 5.0, False))
        self.assertIs(first.flow, UDP)
        self.assertEqual((second.time, second.sent, second.data), (6.0, True, b"head--body"))
        self.assertEqual((len(ring), ring.octets, ring.end), (2, 13, 2))

    def test_messages(self) -> None:
        """
        Of more messages than configured the oldest are dropped; numbers go on.
        """
        ring = self.make()
        for number in range(5):
            ring.note(UDP, False, b"%d" % number)
        self.assertEqual(self.kept(ring), [b"2", b"3", b"4"])
        self.assertEqual((ring.first, ring.end, ring.octets), (2, 5, 3))

    def test_octets(self) -> None:
        """
        So they are when all together are too long; one that is too long by
        itself is not kept.
        """
        ring = self.make(100, 10)
        ring.note(UDP, False, b"12345", b"6")
        ring.note(UDP, False, b"1234")
        ring.note(UDP, False, b"x")
        self.assertEqual(self.kept(ring), [b"1234", b"x"])
        ring.note(UDP, False, b"1" * 11)
        self.assertEqual((self.kept(ring), ring.octets, ring.end), ([], 0, 4))

    def test_wake(self) -> None:
        """
        Who waits is told of the next message, once.
        """
        ring = self.make()
        woken: list[int] = []
        ring.wake = lambda: woken.append(ring.end)
        ring.note(UDP, False, b"1")
        ring.note(UDP, False, b"2")
        self.assertEqual(woken, [1])
