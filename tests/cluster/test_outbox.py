"""
Tests of L{siprec.cluster.outbox}.
"""

from twisted.internet.interfaces import IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.cluster.outbox import MAX_QUEUED, MAX_URGENT, Outbox


class OutboxTests(SynchronousTestCase):
    """
    What waits for a connection, and how much.
    """

    def setUp(self) -> None:
        self.written: list[bytes] = []
        self.room = 1000
        self.outbox = Outbox(self.write)

    def write(self, data: bytes) -> None:
        """
        What the transport does: it takes all, and says when it has enough.
        """
        self.written.append(data)
        self.room -= 1
        if self.room <= 0:
            self.outbox.pauseProducing()

    def test_interface(self) -> None:
        """
        It is a producer.
        """
        verifyObject(IPushProducer, self.outbox)

    def test_atOnce(self) -> None:
        """
        While the transport takes more, nothing waits.
        """
        self.assertTrue(self.outbox.send(b"a"))
        self.assertTrue(self.outbox.sendUrgent(b"b"))
        self.assertEqual(self.written, [b"a", b"b"])
        self.assertTrue(self.outbox.isEmpty)

    def test_order(self) -> None:
        """
        What waits goes out in order, the urgent first, and no more at a time than the
        transport takes.
        """
        self.outbox.pauseProducing()
        for data in (b"1", b"2"):
            self.assertTrue(self.outbox.send(data))
        self.assertTrue(self.outbox.sendUrgent(b"!"))
        self.assertEqual((self.written, self.outbox.isEmpty), ([], False))
        self.room = 2
        self.outbox.resumeProducing()
        self.assertEqual((self.written, self.outbox.isEmpty), ([b"!", b"1"], False))
        self.outbox.resumeProducing()
        self.assertEqual((self.written, self.outbox.isEmpty), ([b"!", b"1", b"2"], True))

    def test_bounds(self) -> None:
        """
        16 MiB may wait, and 1024 urgent frames; what went out makes room.
        """
        self.outbox.pauseProducing()
        self.assertTrue(self.outbox.send(bytes(MAX_QUEUED - 1)))
        self.assertFalse(self.outbox.send(b"xx"))
        self.assertTrue(self.outbox.send(b"x"))
        for _ in range(MAX_URGENT):
            self.assertTrue(self.outbox.sendUrgent(b"!"))
        self.assertFalse(self.outbox.sendUrgent(b"!"))
        self.room = MAX_URGENT + 1
        self.outbox.resumeProducing()
        self.assertTrue(self.outbox.send(bytes(MAX_QUEUED - 1)))

    def test_stop(self) -> None:
        """
        When the transport closes, nothing waits and nothing is written any more.
        """
        self.outbox.pauseProducing()
        self.outbox.send(b"x")
        self.outbox.sendUrgent(b"x")
        self.outbox.stopProducing()
        self.assertTrue(self.outbox.isEmpty)
        self.outbox.send(b"y")
        self.assertEqual(self.written, [])
