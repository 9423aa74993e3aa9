"""
Tests for L{siprec.uas.running}.
"""

from __future__ import annotations

import gc
from math import inf
from typing import Any
from weakref import ref

from siprec.sip.replaces import Replaces
from siprec.uas import running
from siprec.uas.admission import Refusal
from tests.uas.kit import RecorderTestCase, Src, offer


class RunningTests(RecorderTestCase):
    """
    One call.
    """

    def setUp(self) -> None:
        super().setUp()
        self.src.call()
        self.running = self.house.recorder.running
        [self.call] = self.running.calls.values()
        [self.key] = self.house.service.recordings

    def test_found(self) -> None:
        """
        A call is found by its dialog, its recording and its connection.
        """
        self.assertIs(self.running.find(self.src.make("INFO")), self.call)
        self.assertIs(self.running.ofRecording(self.key), self.call)
        self.assertIsNone(self.running.ofRecording("another"))
        self.assertTrue(self.running.uses(self.src.flow.connection))

    def test_removed(self) -> None:
        """
        Once it has ended nothing finds it; it is remembered that it was.
        """
        bye = self.src.make("INFO")
        wanted = Replaces(self.src.callID, self.src.toTag or "", "theirs")
        self.assertIs(self.running.replaced(wanted, self.src.flow), self.call)
        self.src.bye()
        self.assertIsNone(self.running.find(bye))
        self.assertIsNone(self.running.ofRecording(self.key))
        refusal = self.running.replaced(wanted, self.src.flow)
        assert isinstance(refusal, Refusal)
        self.assertEqual(refusal.status, 603)

    def test_D4_replaces_has(self) -> None:
        """
        An INVITE that would replace a call is one of this node's, also when the
        call has ended a while ago: it knows what to answer.
        """
        header = ("Replaces", f"{self.src.callID};to-tag={self.src.toTag};from-tag=theirs")
        other = Src(self.house, callID="two")
        invite = other.make("INVITE", header, body=(offer(), None))
        self.assertTrue(self.running.has(invite))
        self.assertFalse(self.running.has(other.make("INVITE", body=(offer(), None))))
        self.src.bye()
        self.assertTrue(self.running.has(invite))

    def test_twice(self) -> None:
        """
        A call that is added again counts once, and one that was removed
        already changes nothing.
        """
        invite = Src(self.house).make("INVITE", body=(offer(), None))
        self.running.add(self.call)
        self.assertTrue(self.running.has(invite))
        self.running.remove(self.call)
        self.assertFalse(self.running.has(invite))
        self.running.remove(self.call)
        self.assertFalse(self.running.has(invite))
        self.running.add(self.call)

    def test_cutOff(self) -> None:
        """
        Where others may have taken a call, its timer here never runs out.
        """
        [signs] = self.running.signs(self.house.now(), cutOff=False)
        self.assertEqual((signs.key, signs.sessionTimerUntil), (self.key, None))
        [signs] = self.running.signs(self.house.now(), cutOff=True)
        self.assertEqual(signs.sessionTimerUntil, inf)

    def test_letGo(self) -> None:
        """
        Of a call that has ended nothing is left for the garbage collector, soon: of those
        that end after it, and for as long as its messages may come again.
        """
        self.patch(running, "_WHOLE", 1)
        gone: list[ref[Any]] = [ref(self.call), ref(self.house.service.recordings[self.key])]
        del self.call
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        self.src.bye()
        for number in range(3):
            self.src = Src(self.house, callID=f"later {number}")
            self.src.call()
            self.src.bye()
        self.house.clock.pump([1.0] * 40)
        self.assertEqual([each() for each in gone], [None, None])

    def test_apart(self) -> None:
        """
        Who still has a call that was taken apart may ask it what one asks calls that might
        have ended meanwhile.
        """
        self.patch(running, "_WHOLE", 0)
        self.src.bye()
        before = len(self.house.wire.sent)
        self.successResultOf(self.call.moveMedia())
        self.assertEqual(self.successResultOf(self.call.tryToMove()), 0)
        self.call.stop(500, "noRoom")
        self.assertEqual(len(self.house.wire.sent), before)

    def test_whole(self) -> None:
        """
        A call that has not ended after all, as one that stays here, is not taken apart.
        """
        self.patch(running, "_WHOLE", 0)
        self.house.recorder.suspend(self.call)
        self.house.recorder.restore(self.call)
        self.assertEqual(self.src.bye().status, 200)

    def test_busy(self) -> None:
        """
        Nor one that is at something still.
        """
        self.patch(running, "_WHOLE", 0)
        self.call._unanswered = True
        self.src.bye()
        self.assertTrue(self.call.over and self.call.busy)
