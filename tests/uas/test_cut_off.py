"""
Tests for L{siprec.uas.call} and L{siprec.recorder}: a node that cannot know
whether others have taken its calls.
"""

from __future__ import annotations

from siprec.sip.message import Request
from tests.uas.kit import RecorderTestCase
from tests.uas.test_moving import MoveTestCase

TIMER = ("Supported", "timer")


class CutOffTests(RecorderTestCase):
    """
    It answers, and captures, and asks nothing.
    """

    def setUp(self) -> None:
        super().setUp()
        self.cutOff = True
        self.house.around.isCutOff = lambda: self.cutOff

    def test_answers(self) -> None:
        """
        What comes to it is answered as ever, up to the end of the call.
        """
        self.src.call()
        self.assertEqual(self.src.update().status, 200)
        self.assertEqual(self.src.bye().status, 200)
        self.assertEqual(self.house.manifest["endReason"], "bye")

    def test_refresh(self) -> None:
        """
        A session that it should refresh is refreshed when it may speak again,
        and not before; unless the peer has done so meanwhile.
        """
        allow = ("Allow", "UPDATE")
        self.src.call(TIMER, ("Session-Expires", "90;refresher=uas"), allow)
        self.assertEqual(self.house.wait(50), [])
        self.cutOff = False
        request = self.only(self.house.wait(1), "UPDATE")
        self.src.answer(request, 200, TIMER, ("Session-Expires", "90;refresher=uac"))
        self.cutOff = True
        self.assertEqual(self.house.wait(50), [])
        again = ("Session-Expires", "90;refresher=uas")
        self.assertEqual(self.src.update(TIMER, again, allow).status, 200)
        self.cutOff = False
        self.assertEqual(self.house.wait(40), [])

    def test_expired(self) -> None:
        """
        A session that runs out may be refreshed where it is now; if it is not
        anybody else's, it ends an interval later.
        """
        self.src.call(TIMER, ("Session-Expires", "90;refresher=uac"))
        self.assertEqual(self.house.wait(60), [])
        self.assertEqual(self.house.manifest["state"], "recording")
        self.cutOff = False
        self.only(self.house.wait(60), "BYE")

    def test_stopped(self) -> None:
        """
        A node that ends lets go of its calls: there is no BYE, and the record
        stays for who takes it.
        """
        self.src.call()
        saved = len(self.house.store.saved)
        self.house.recorder.stopCalls(503, "drained")
        self.assertEqual(self.house.wait(40), [])
        self.assertEqual(self.house.recorder.calls, {})
        self.assertEqual(self.house.service.recordings, {})
        self.assertEqual(len(self.house.store.saved), saved)
        self.assertEqual(self.house.manifest["state"], "recording")

    def test_noSignOfLife(self) -> None:
        """
        Whether a call has given a sign of life is for others to say.
        """
        self.src.call()
        [signs] = self.house.recorder.signs()
        self.assertFalse(signs.isDead(self.house.now() + 1e6, 3600))
        self.cutOff = False
        [signs] = self.house.recorder.signs()
        self.assertTrue(signs.isDead(self.house.now() + 1e6, 3600))


class MoveLaterTests(MoveTestCase):
    """
    Media that is to move.
    """

    def test_move(self) -> None:
        """
        A peer that was busy is asked again when that may be done, by the next
        number.
        """
        request = self.asked()
        self.only(self.src.answer(request, 491), "ACK")
        self.house.around.isCutOff = lambda: True
        self.assertEqual(self.house.wait(30), [])
        self.successResultOf(self.moving)
        self.house.around.isCutOff = lambda: False
        [later] = [each for each in self.house.wait(40) if isinstance(each, Request)][:1]
        self.assertEqual(later.cseq.number, request.cseq.number + 1)
        self.accept(later)
