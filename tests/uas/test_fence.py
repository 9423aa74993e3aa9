"""
Tests for L{siprec.uas.call} and L{siprec.uas.theirs}: calls that another node has.
"""

from __future__ import annotations

from copy import copy

from twisted.internet.defer import Deferred

from siprec.session.live import LiveRecording
from siprec.session.model import CallSnapshot, DialogInfo
from siprec.session.recordings import Recordings
from siprec.sip.interfaces import IServerTransaction
from siprec.sip.message import Response
from siprec.testing.offer import makeMetadata
from siprec.uas.call import Call
from tests.uas.again import AgainTestCase
from tests.uas.kit import RecorderTestCase, offer

LATER = makeMetadata(["Ann", "Carol"], ["1", "2"])


class FenceTestCase(RecorderTestCase):
    """
    A call that runs; C{passed} has the requests that are another node's.
    """

    headers: tuple[tuple[str, str], ...] = ()

    def setUp(self) -> None:
        super().setUp()
        self.passed: list[IServerTransaction] = []
        self.house.around.passOn = self.pass_
        self.src.call(*self.headers)
        [self.call] = self.house.recorder.calls.values()
        assert self.call.live is not None
        self.key = self.call.live.recording.id

    def pass_(self, transaction: IServerTransaction) -> None:
        """
        Keep a request, and forget it as a node does.
        """
        self.house.layer.forget(transaction.received)
        self.passed.append(transaction)

    def fenceAtSave(self) -> None:
        """
        The next save finds that another node has the call.
        """

        def onSave(snapshot: CallSnapshot) -> None:
            self.house.recorder.letGo(self.key)

        self.house.store.onSave = onSave


class LetGoTests(FenceTestCase):
    """
    Not a word to the peer.
    """

    def test_letGo(self) -> None:
        """
        The call and its captures end here, and its manifest is not written.
        """
        self.house.recorder.letGo(self.key)
        self.assertTrue(self.call.fenced and self.call.over)
        self.assertEqual((self.house.recorder.calls, self.house.capture.attached), ({}, []))
        self.assertEqual((self.house.service.recordings, self.house.ports.taken), ({}, []))
        self.assertEqual(self.house.manifest["state"], "recording")
        self.assertEqual(self.house.wait(60), [])

    def test_unanswered(self) -> None:
        """
        A 200 that has no ACK yet is not repeated any more.
        """
        self.src.ask(self.src.make("INVITE", body=(offer(version=2), None)))
        self.house.recorder.letGo(self.key)
        self.assertEqual(self.house.wait(40), [])

    def test_ownInvite(self) -> None:
        """
        A re-INVITE of ours that has no answer is neither repeated nor cancelled.
        """
        assert self.call.live is not None
        self.call.live.changeStream(0, port=20000)
        moving = self.call.moveMedia()
        self.only(self.house.wire.take(), "INVITE")
        self.house.recorder.letGo(self.key)
        self.successResultOf(moving)
        self.assertEqual(self.house.wait(40), [])
        self.assertNotIn("mediaNotMoved", self.house.events())

    def test_lateEffects(self) -> None:
        """
        Whatever is found out of it afterwards has no effect.
        """
        self.call.fence()
        self.call.stop(503, "drained")
        self.call.timedOut("timeout")
        self.call.peerGone()
        self.assertEqual((self.house.wire.take(), self.house.renderer.rendered), ([], []))
        assert self.call.live is not None
        self.house.service.letGo(self.call.live)


class PassOnTests(FenceTestCase):
    """
    A request finds out that the call is another node's.
    """

    def test_bye(self) -> None:
        """
        A BYE is not answered here; the other node is to do that.
        """
        self.fenceAtSave()
        self.assertEqual(self.src.send(self.src.make("BYE")), [])
        self.assertEqual([each.request.method for each in self.passed], ["BYE"])
        self.assertEqual(self.house.renderer.rendered, [])
        self.assertEqual(self.house.wait(40), [])

    def test_change(self) -> None:
        """
        Nor is a change of the session, or metadata in an INFO.
        """
        self.fenceAtSave()
        self.assertEqual(self.src.send(self.src.make("UPDATE", body=(None, LATER))), [])
        self.assertEqual([each.request.method for each in self.passed], ["UPDATE"])

    def test_reinvite(self) -> None:
        """
        Nor is a re-INVITE, whose 200 would be repeated.
        """
        self.fenceAtSave()
        body = (offer(version=2), None)
        self.assertEqual(self.src.send(self.src.make("INVITE", body=body)), [])
        self.assertEqual([each.request.method for each in self.passed], ["INVITE"])
        self.assertEqual(self.house.wait(40), [])

    def test_queue(self) -> None:
        """
        Those behind it follow in their order.
        """
        waiting: list[Deferred[None]] = []
        self.house.store.waiting = waiting
        self.src.send(self.src.make("UPDATE", body=(None, LATER)))
        self.src.send(self.src.make("INFO", body=(None, LATER)))
        self.src.send(self.src.make("BYE"))
        self.house.recorder.letGo(self.key)
        waiting[0].callback(None)
        methods = [each.request.method for each in self.passed]
        self.assertEqual((methods, self.house.wire.take()), (["UPDATE", "INFO", "BYE"], []))

    def test_failure(self) -> None:
        """
        Even if something else goes wrong at the same time, it is not answered here.
        """

        whole, recorder, key = self.house.service, self.house.recorder, self.key

        class Broken(Recordings):
            async def save(self, live: LiveRecording, dialog: DialogInfo) -> None:
                recorder._around.service = whole
                recorder.letGo(key)
                raise ZeroDivisionError

        self.house.around.service = copy(whole)
        self.house.around.service.__class__ = Broken
        self.assertEqual(self.src.send(self.src.make("BYE")), [])
        self.assertEqual([each.request.method for each in self.passed], ["BYE"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class TimedOutTests(FenceTestCase):
    """
    A timer of a process that was held up runs out.
    """

    headers = (("Supported", "timer"), ("Session-Expires", "90;refresher=uac"))

    def test_ours(self) -> None:
        """
        A call that is still this node's ends with a BYE.
        """
        self.house.recorder.endDead(self.key)
        self.only(self.house.wire.take(), "BYE")
        self.assertEqual(self.house.manifest["endReason"], "timeout")
        self.assertIn("noSignOfLife", self.house.events())

    def test_others(self) -> None:
        """
        One that is not, does not: a BYE would end the call that another node has.
        """
        self.fenceAtSave()
        self.house.recorder.endDead(self.key)
        self.assertEqual(self.house.wait(40), [])
        self.assertEqual(self.house.renderer.rendered, [])

    def test_session(self) -> None:
        """
        The same for the session timer.
        """
        self.fenceAtSave()
        self.assertEqual(self.house.wait(100), [])
        self.assertTrue(self.call.fenced)

    def test_refresh(self) -> None:
        """
        A request of our own finds it out before it is sent.
        """
        self.fenceAtSave()
        assert self.call.live is not None
        self.call.live.changeStream(0, port=20000)
        self.successResultOf(self.call.moveMedia())
        self.assertEqual(self.house.wait(60), [])


class BackTests(AgainTestCase):
    """
    A call leaves a node and comes back.
    """

    def test_earlierCall(self) -> None:
        """
        What the earlier call still does here does not end the one that is here now.
        """
        self.src.call()
        [before] = self.house.recorder.calls.values()
        assert before.live is not None
        snapshot = self.house.store.saved[-1]
        self.house.recorder.letGo(before.live.recording.id)
        now: Call = self.resume(snapshot)
        before.letGo()
        self.assertEqual(list(self.house.recorder.calls.values()), [now])
        response = self.src.bye()
        assert isinstance(response, Response)
        self.assertEqual((response.status, self.house.recorder.running._begun), (200, {}))
