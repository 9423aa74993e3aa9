"""
Tests of L{siprec.cluster.whereabouts}.
"""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred

from siprec.cluster.whereabouts import Place, Whereabouts, dialogOf
from siprec.ids import newTag
from siprec.sip.message import Request
from siprec.store.interfaces import StoreUnavailable
from tests.cluster.relaycase import TAG, A, B, RelayCase, ask, takingOver


class FindTests(RelayCase):
    """
    Where the store says that a dialog is.
    """

    def setUp(self) -> None:
        super().setUp()
        self.where = Whereabouts(self.a.store, self.clock)

    def find(self, request: Request) -> Place | None:
        """
        @return: what is found.
        """
        return self.successResultOf(Deferred.fromCoroutine(self.where.find(request)))

    def test_found(self) -> None:
        """
        By Call-ID and both tags.
        """
        record = self.record(B)
        place = self.find(ask())
        assert place is not None
        self.assertEqual((place.owner, place.key), (B, record.sessionID))
        self.assertFalse(place.isOver)
        self.assertIsNone(self.find(ask(tag=newTag())))
        headers = ask().headers.replacing("From", "<sip:src@192.0.2.7>;tag=other")
        self.assertIsNone(self.find(evolve(ask(), headers=headers)))

    def test_firstInvite(self) -> None:
        """
        Without our tag, by the number of the INVITE.
        """
        self.record(B)
        self.assertIsNotNone(self.find(ask("INVITE", 2, tag=None)))
        self.assertIsNone(self.find(ask("INVITE", 3, tag=None)))

    def test_replaced(self) -> None:
        """
        The dialog that an INVITE replaces; once it has done so, its own.
        """
        record = self.record(B)
        place = self.find(takingOver())
        assert place is not None
        self.assertEqual((place.owner, place.key), (B, record.sessionID))
        self.assertIsNone(self.find(takingOver(wanted=newTag())))
        assert record.snapshot is not None
        info = evolve(record.snapshot.dialog, callID="call-2", localTag=newTag(), remoteCSeq=1)
        moved = evolve(record, callID="call-2", snapshot=evolve(record.snapshot, dialog=info))
        self.successResultOf(self.b.store.update(moved, 60.0))
        place = self.find(takingOver())
        assert place is not None
        self.assertEqual(place.key, record.sessionID)

    def test_several(self) -> None:
        """
        Other calls of that Call-ID, those that have gone meanwhile and those that are no
        calls are passed over.
        """
        self.record(B, 2)
        gone = self.record(B, 1)
        self.a.store.held = []
        finding = Deferred.fromCoroutine(self.where.find(ask()))
        self.a.store.held.pop()()
        self.successResultOf(self.b.store.delete(gone.sessionID, gone.version))
        self.a.store.letGo()
        self.assertIsNotNone(self.successResultOf(finding))
        [key] = self.successResultOf(self.a.store.list())
        left = self.successResultOf(self.a.store.get(key))
        self.successResultOf(self.b.store.update(evolve(left, snapshot=None), 60.0))
        self.assertIsNone(self.find(ask()))

    def test_over(self) -> None:
        """
        A call of which only the files are still being finished is over.
        """
        self.record(B, state="finishing")
        place = self.find(ask())
        assert place is not None
        self.assertTrue(place.isOver)
        self.assertFalse(Place(A, "key").isOver)

    def test_away(self) -> None:
        """
        While the store is away nothing is known; look-ups are counted while they last.
        """
        self.a.store.away = True
        finding = Deferred.fromCoroutine(self.where.find(ask()))
        self.failureResultOf(finding, StoreUnavailable)
        self.assertEqual(self.where.lookups, 0)
        self.a.store.away, self.a.store.held = False, []
        finding = Deferred.fromCoroutine(self.where.find(ask()))
        self.assertEqual(self.where.lookups, 1)
        self.a.store.letGo()
        self.assertEqual((self.successResultOf(finding), self.where.lookups), (None, 0))


class MemoryTests(RelayCase):
    """
    What is remembered.
    """

    def setUp(self) -> None:
        super().setUp()
        self.where = Whereabouts(self.a.store, self.clock)

    def test_tenSeconds(self) -> None:
        """
        The place of a dialog is remembered for ten seconds, without its record, for
        requests of that dialog alone.
        """
        self.where.remember(ask(), Place(B, "key", self.record(B)))
        self.clock.advance(9.9)
        self.assertEqual(self.where.remembered(ask("UPDATE", 9)), Place(B, "key"))
        self.assertIsNone(self.where.remembered(ask(tag=None)))
        self.clock.advance(0.1)
        self.assertIsNone(self.where.remembered(ask()))

    def test_forget(self) -> None:
        """
        What has turned out to be wrong is forgotten; so is what was never known.
        """
        self.where.remember(ask(), Place(B, "key"))
        self.where.forget(ask())
        self.where.forget(ask())
        self.assertIsNone(self.where.remembered(ask()))

    def test_most(self) -> None:
        """
        Not more than 5,000 are, those that were asked for last.
        """
        for number in range(5001):
            headers = ask().headers.replacing("Call-ID", f"call-{number}")
            self.where.remember(evolve(ask(), headers=headers), Place(B, str(number)))
        first = evolve(ask(), headers=ask().headers.replacing("Call-ID", "call-0"))
        self.assertIsNone(self.where.remembered(first))
        self.assertEqual(self.where.remembered(ask()), Place(B, "1"))

    def test_dialog(self) -> None:
        """
        A dialog is known by Call-ID and both tags; a request that is to make one has none
        of ours yet.
        """
        self.assertEqual(dialogOf(ask()), ("call-1", TAG, "src1"))
        self.assertEqual(dialogOf(ask(tag=None)), ("call-1", "", "src1"))
