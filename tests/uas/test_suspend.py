"""
Tests of L{siprec.recorder} and L{siprec.uas.call}: calls that another node is
about to have.
"""

from __future__ import annotations

from siprec.sip.message import Request
from siprec.uas.call import Call
from tests.uas.kit import METADATA, RecorderTestCase, Src, offer
from tests.uas.test_moving import MoveTestCase


class SuspendTests(RecorderTestCase):
    """
    A call with a session timer of ours.
    """

    def setUp(self) -> None:
        super().setUp()
        timer = ("Session-Expires", "1800;refresher=uas")
        self.src.call(("Supported", "timer"), timer, ("Allow", "UPDATE"))
        [self.call] = self.house.recorder.calls.values()

    def test_suspended(self) -> None:
        """
        Requests in its dialog are not this node's to answer, and it asks nothing
        by itself.
        """
        self.house.recorder.suspend(self.call)
        self.assertFalse(self.house.recorder.has(self.src.make("BYE")))
        self.assertEqual(self.house.recorder.calls, {})
        self.assertEqual(self.house.wait(1000), [])
        self.house.recorder.restore(self.call)
        [request] = self.house.wait(0.125)
        assert isinstance(request, Request)
        self.src.answer(request, 200)

    def test_restored(self) -> None:
        """
        A call that came back is as it was, and its timer has gone on.
        """
        self.house.wait(400)
        self.house.recorder.suspend(self.call)
        self.house.wait(10)
        self.house.recorder.restore(self.call)
        self.assertAlmostEqual(self.call.timer.elapsed, 410)
        self.assertEqual(self.house.wait(480), [])
        request = self.only(self.house.wait(20)[:1], "UPDATE")
        self.src.answer(request, 200)
        self.assertEqual(self.src.update(metadata=METADATA).status, 200)

    def test_first(self) -> None:
        """
        The first INVITE of a suspended call is not another one's.
        """
        assert self.src.last is not None
        without = self.src.make("INVITE")
        self.house.recorder.suspend(self.call)
        self.house.recorder.restore(self.call)
        self.assertTrue(self.house.recorder.has(without))
        self.src.bye()
        self.assertEqual(self.house.recorder.running._begun, {})

    def test_over(self) -> None:
        """
        A call that has ended meanwhile is not restored.
        """
        self.house.recorder.suspend(self.call)
        self.call.fence()
        self.house.recorder.restore(self.call)
        self.assertEqual(self.house.recorder.calls, {})
        assert self.call.live is not None
        self.house.service.letGo(self.call.live)
        self.assertEqual(self.house.wait(2000), [])

    def test_asking(self) -> None:
        """
        While a refresh of ours is under way, the call asks something.
        """
        self.assertFalse(self.call.asking)
        request = self.only(self.house.wait(901)[:1], "UPDATE")
        self.assertTrue(self.call.asking)
        self.src.answer(request, 200)
        self.assertFalse(self.call.asking)


class BusyTests(RecorderTestCase):
    """
    Changes of the session that are under way.
    """

    def only_(self) -> Call:
        """
        @return: the only call.
        """
        [call] = self.house.recorder.calls.values()
        return call

    def test_opening(self) -> None:
        """
        A call is busy from its INVITE to the ACK.
        """
        self.house.store.waiting = []
        src = Src(self.house)
        src.send(src.make("INVITE", body=(offer(), METADATA)))
        call = self.only_()
        self.assertTrue(call.busy)
        waiting, self.house.store.waiting = self.house.store.waiting, None
        waiting[0].callback(None)
        [response] = self.house.wire.take()
        src.toTag = response.toTag
        self.assertTrue(call.busy)
        src.ack()
        self.assertFalse(call.busy)
        src.bye()

    def test_refused(self) -> None:
        """
        A call that is refused is busy no more.
        """
        src = Src(self.house)
        self.house.ports.free = 0
        self.house.service.draining = False
        src.invite(sdp=None, metadata=METADATA)
        self.assertEqual(self.house.recorder.calls, {})


class SuspendedMoveTests(MoveTestCase):
    """
    A peer that does not take the move of its media now.
    """

    def test_later(self) -> None:
        """
        It is tried again later; not while the call is suspended, but when it is
        back.
        """
        self.assertTrue(self.call.asking)
        self.src.answer(self.asked(), 488)
        self.successResultOf(self.moving)
        self.assertFalse(self.call.asking)
        self.house.wait(20)
        self.house.recorder.suspend(self.call)
        self.assertEqual(self.house.wait(100), [])
        self.house.recorder.restore(self.call)
        self.assertEqual(self.house.wait(39), [])
        self.accept(self.asked(2))
        self.assertEqual(self.noted()["type"], "mediaMoved")

    def test_nothingLater(self) -> None:
        """
        Where nothing was to be tried, nothing is.
        """
        self.accept(self.asked())
        self.successResultOf(self.moving)
        self.house.recorder.suspend(self.call)
        self.house.recorder.restore(self.call)
        self.assertEqual(self.house.wait(100), [])

    def test_tryToMove(self) -> None:
        """
        Who has another way gets the peer's answer, and meanwhile the call asks.
        """
        self.src.answer(self.asked(), 488)
        trying = self.call.tryToMove()
        self.assertTrue(self.call.asking)
        request = self.asked()
        self.assertNoResult(trying)
        self.src.answer(request, 488)
        self.assertEqual(self.successResultOf(trying), 488)
        self.assertFalse(self.call.asking)
        self.call._moving.suspend()

    def test_accepted(self) -> None:
        """
        A peer that agrees.
        """
        self.src.answer(self.asked(), 488)
        trying = self.call.tryToMove()
        self.accept(self.asked())
        self.assertEqual(self.successResultOf(trying), 200)
        self.assertEqual(self.successResultOf(self.call.tryToMove()), 200)
        self.call._moving.suspend()
