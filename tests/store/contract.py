"""
What every store does, as suites that are run over each of them:
L{ISnapshotStore} here, L{ISessionStore} in L{tests.store.sessioncontract} (by
the name L{makeSessionStoreTests} here too).
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.store.interfaces import ISnapshotStore, SessionNotFound
from tests.store.samples import makeData, makeLease, makeSnapshot
from tests.store.sessioncontract import Provider, makeSessionStoreTests

__all__ = [
    "Provider",
    "makeData",
    "makeLease",
    "makeSessionStoreTests",
    "makeSnapshot",
    "makeSnapshotStoreTests",
]


def makeSnapshotStoreTests(makeStore: Callable[[], ISnapshotStore]) -> type[SynchronousTestCase]:
    """
    @param makeStore: gives an empty store.
    @return: a test case that holds the store to its interface.
    """

    class SnapshotStoreTests(SynchronousTestCase):
        """
        The contract of L{ISnapshotStore}.
        """

        def setUp(self) -> None:
            self.store = makeStore()

        def test_interface(self) -> None:
            """
            The store provides the interface.
            """
            self.assertTrue(verifyObject(ISnapshotStore, self.store))

        def test_loadGivesWhatWasSaved(self) -> None:
            """
            A snapshot comes back equal, the caller's free metadata included.
            """
            snapshot = makeSnapshot()
            self.assertIsNone(self.successResultOf(self.store.save("k", snapshot)))
            self.assertEqual(self.successResultOf(self.store.load("k")), snapshot)

        def test_saveReplaces(self) -> None:
            """
            The snapshot saved last is the one that is loaded.
            """
            snapshot = makeSnapshot()
            self.successResultOf(self.store.save("k", snapshot))
            later = evolve(snapshot, lastActivity=2000.0)
            self.successResultOf(self.store.save("k", later))
            self.assertEqual(self.successResultOf(self.store.load("k")), later)
            self.assertEqual(self.successResultOf(self.store.list()), ["k"])

        def test_loadOfNothing(self) -> None:
            """
            A key that was never saved fails with L{SessionNotFound}, which
            names it.
            """
            failure = self.failureResultOf(self.store.load("nobody"), SessionNotFound)
            self.assertEqual(failure.value.key, "nobody")

        def test_delete(self) -> None:
            """
            What was deleted is not found and not listed; deleting it again is
            no error.
            """
            self.successResultOf(self.store.save("k", makeSnapshot()))
            for _ in range(2):
                self.assertIsNone(self.successResultOf(self.store.delete("k")))
            self.failureResultOf(self.store.load("k"), SessionNotFound)
            self.assertEqual(self.successResultOf(self.store.list()), [])

        def test_list(self) -> None:
            """
            Every key is listed once.
            """
            for key in ("a", "b", "c"):
                self.successResultOf(self.store.save(key, makeSnapshot(key)))
            keys: list[str] = self.successResultOf(self.store.list())
            self.assertEqual(sorted(keys), ["a", "b", "c"])

    return SnapshotStoreTests
