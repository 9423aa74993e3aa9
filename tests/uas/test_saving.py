"""
Tests for L{siprec.uas.saving}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tests.uas.house import START
from tests.uas.kit import RecorderTestCase
from tests.uas.timercase import TIMER, expires


class SavingTests(RecorderTestCase):
    """
    A call with a session timer.
    """

    def setUp(self) -> None:
        super().setUp()
        self.src.call(TIMER, expires(1800), ("Allow", "INVITE, UPDATE"))
        [self.call] = self.house.recorder.calls.values()
        self.house.wait(10)
        self.house.store.saved.clear()

    def test_now(self) -> None:
        """
        What is saved is the dialog as it is now, and when its timer was agreed.
        """
        self.successResultOf(Deferred.fromCoroutine(self.call.save()))
        [snapshot] = self.house.store.saved
        dialog = snapshot.dialog
        self.assertEqual(dialog.callID, self.src.callID)
        self.assertEqual((dialog.remoteCSeq, dialog.confirmed), (1, True))
        self.assertEqual(dialog.peerAllows, ("INVITE", "UPDATE"))
        self.assertEqual(dialog.sessionExpires, START + 1800)
        self.assertEqual([each.method for each in dialog.finals], ["INVITE"])

    def test_over(self) -> None:
        """
        A call that is over is not saved any more by itself.
        """
        self.call.saveSoon()
        self.assertEqual(len(self.house.store.saved), 1)
        self.src.bye()
        before = len(self.house.store.saved)
        self.call.saveSoon()
        self.assertEqual(len(self.house.store.saved), before)

    def test_notYet(self) -> None:
        """
        A call that records nothing has nothing to save.
        """
        self.call.live, live = None, self.call.live
        self.successResultOf(Deferred.fromCoroutine(self.call.save()))
        self.assertEqual(self.house.store.saved, [])
        self.call.live = live

    def test_later(self) -> None:
        """
        After an ACK it is saved once there is time, once for all that has changed by then;
        not at all if the call is over.
        """
        turns: list[Deferred[None]] = []

        class Later:
            def turn(self) -> Deferred[None]:
                turns.append(Deferred())
                return turns[-1]

        equipment = self.house.service.equipment
        before = equipment.postponed
        object.__setattr__(equipment, "postponed", Later())
        self.addCleanup(object.__setattr__, equipment, "postponed", before)
        self.call._saving.later()
        self.call._saving.later()
        self.assertEqual((len(turns), self.house.store.saved), (1, []))
        turns[0].callback(None)
        self.assertEqual(len(self.house.store.saved), 1)
        self.call._saving.later()
        object.__setattr__(equipment, "postponed", before)
        self.src.bye()
        count = len(self.house.store.saved)
        turns[1].callback(None)
        self.assertEqual(len(self.house.store.saved), count)
