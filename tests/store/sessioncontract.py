"""
What every L{ISessionStore} does, as a suite that is run over each of them.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.store.recordrules import IndexRules, RecordRules
from tests.store.sessioncase import Provider
from tests.store.sharingrules import LeaseRules, OwnerRules, RaceRules
from tests.store.takeoverrules import TakeoverRules

__all__ = ["Provider", "makeSessionStoreTests"]


def makeSessionStoreTests(makeProvider: Callable[[TestCase], Provider]) -> type[TestCase]:
    """
    @param makeProvider: gives a fresh provider; what it opens beside the
        stores, it closes by the test's C{addCleanup}.
    @return: a test case that holds the provider's stores to their interface.
    """

    class SessionStoreTests(
        RecordRules, IndexRules, OwnerRules, LeaseRules, RaceRules, TakeoverRules
    ):
        """
        The contract of L{ISessionStore}.
        """

        def setUp(self) -> Deferred[None]:  # type: ignore[override]
            self.provider = makeProvider(self)
            return Deferred.fromCoroutine(self._connectFirst())

    return SessionStoreTests
