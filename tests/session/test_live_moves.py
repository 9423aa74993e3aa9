"""
Tests of L{siprec.session.live}: streams that come in elsewhere than before.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tests.session.livecase import LiveTestCase


class MoveBackTests(LiveTestCase):
    """
    Two streams have moved to ports of this process.
    """

    def setUp(self) -> None:
        super().setUp()
        self.live.advertise = "192.0.2.1"
        self.bind("1", "2")
        self.live.taps.release()
        for index, port in enumerate((20000, 20002)):
            self.live.changeStream(index, host="192.0.2.9", port=port)
            self.live.moveStream(index)
        self.live.startCapture()

    def places(self) -> list[tuple[str, int]]:
        """
        @return: where each stream is said to come in.
        """
        return [(each.host, each.port) for each in self.live.recording.streams]

    def moveBack(self, host: str = "192.0.2.9") -> bool:
        """
        Try to, with this address here.
        """
        moving = self.live.moveBack(lambda each: each == host)
        return self.successResultOf(Deferred.fromCoroutine(moving))

    def test_moved(self) -> None:
        """
        What was moved is known, as it was at first, however often it is moved.
        """
        self.live.taps.release()
        self.live.moveStream(0)
        self.assertEqual([each.port for each in self.live.moved.values()], [20000, 20002])
        self.assertEqual(self.places()[0][0], "192.0.2.1")

    def test_back(self) -> None:
        """
        All go back, the same journals go on, and nothing is moved any more.
        """
        self.assertTrue(self.moveBack())
        self.assertEqual(self.places(), [("192.0.2.9", 20000), ("192.0.2.9", 20002)])
        self.assertEqual([pair.host for pair in self.ports.taken], ["192.0.2.9"] * 2)
        names = [each.path.rpartition("/")[2] for each in self.capture.attached]
        self.assertEqual(names, ["1-0.rtpdump", "1-1.rtpdump"])
        self.assertEqual(self.live.moved, {})
        self.assertTrue(self.moveBack())

    def test_notHere(self) -> None:
        """
        An address that is not this host's is not tried.
        """
        before = self.places()
        self.assertFalse(self.moveBack("192.0.2.77"))
        self.assertEqual((self.places(), self.ports.claims), (before, []))

    def test_some(self) -> None:
        """
        Where one port is not to be had, the others go back all the same.
        """
        self.ports.claim("192.0.2.9", 20000)
        self.assertFalse(self.moveBack())
        self.assertEqual(list(self.live.moved), [0])
        self.assertEqual(self.places()[1], ("192.0.2.9", 20002))

    def test_bind(self) -> None:
        """
        Where sockets are bound at another address than the one in the SDP, that is
        the one that this host has.
        """
        self.live.advertise = "203.0.113.1"
        self.assertTrue(self.moveBack())
        self.assertEqual([pair.host for pair in self.ports.taken], ["192.0.2.1"] * 2)
        self.assertEqual(self.places()[0], ("192.0.2.9", 20000))
