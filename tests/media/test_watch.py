"""
Tests of L{siprec.media.watch}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.media.watch import Watch
from tests.media.fakes import LocalPair


class WatchTests(SynchronousTestCase):
    """
    L{Watch} with local sockets.
    """

    def setUp(self) -> None:
        self.watch = Watch()
        self.addCleanup(self.watch.close)
        self.pair = LocalPair.make(self)

    def test_ready(self) -> None:
        """
        A socket is named as long as something is to be read from it.
        """
        self.watch.add(self.pair.rtp)
        self.watch.add(self.pair.rtcp)
        self.assertEqual(self.watch.ready(), [])
        self.pair.toRTCP.send(b"packet")
        self.assertEqual(self.watch.ready(), [self.pair.rtcp.fileno()])
        self.assertEqual(self.watch.ready(), [self.pair.rtcp.fileno()])
        self.pair.rtcp.recv(100)
        self.assertEqual(self.watch.ready(), [])

    def test_most(self) -> None:
        """
        Where more are ready than are told at once, the others come the next time.
        """
        watch = Watch(1)
        self.addCleanup(watch.close)
        for sock, to in (
            (self.pair.rtp, self.pair.toRTP),
            (self.pair.rtcp, self.pair.toRTCP),
        ):
            watch.add(sock)
            to.send(b"packet")
        told = watch.ready() + watch.ready()
        self.assertEqual(set(told), {self.pair.rtp.fileno(), self.pair.rtcp.fileno()})

    def test_once(self) -> None:
        """
        Or a socket is named once for what came, and again when more does.
        """
        watch, number = Watch(once=True), self.pair.rtcp.fileno()
        self.addCleanup(watch.close)
        watch.add(self.pair.rtcp)
        self.pair.toRTCP.send(b"packet")
        self.assertEqual([watch.ready(), watch.ready()], [[number], []])
        self.pair.toRTCP.send(b"packet")
        self.assertEqual([watch.ready(), watch.ready()], [[number], []])

    def test_waiting(self) -> None:
        """
        What came before a socket was watched counts.
        """
        watch = Watch(once=True)
        self.addCleanup(watch.close)
        self.pair.toRTCP.send(b"packet")
        watch.add(self.pair.rtcp)
        self.assertEqual(watch.ready(), [self.pair.rtcp.fileno()])

    def test_removed(self) -> None:
        """
        One that was removed is not named; removing it again, or closed, does nothing.
        """
        self.watch.add(self.pair.rtcp)
        self.pair.toRTCP.send(b"packet")
        self.watch.remove(self.pair.rtcp)
        self.assertEqual(self.watch.ready(), [])
        self.watch.remove(self.pair.rtcp)
        self.pair.rtcp.close()
        self.watch.remove(self.pair.rtcp)
