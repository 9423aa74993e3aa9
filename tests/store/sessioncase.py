"""
What the parts of the contract of session stores have in common.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from siprec.ids import NodeID
from siprec.store.interfaces import (
    ISessionStore,
)
from tests.store.samples import N1

# A lifetime that does not end during a test, and one that does after a wait;
# the wait is real time where the provider's clock is.
LONG = 300.0
SHORT = 0.2
WAIT = 0.5


class Provider(Protocol):
    """
    Where the stores of one test come from.
    """

    def connect(self, nodeID: NodeID) -> Deferred[ISessionStore]:
        """
        @return: fires with another client of the same data, which are empty at
            first.  The suite closes it.
        """

    def wait(self, seconds: float) -> Deferred[None]:
        """
        @return: fires when that much time has passed for the stores.
        """


class SessionStoreCase(TestCase):
    """
    What the parts of the contract have in common.
    """

    provider: Provider
    store: Any

    async def _connectFirst(self) -> None:
        self.store = await self.connect(N1)

    async def connect(self, nodeID: NodeID = N1) -> Any:
        """
        @return: another store over the same data.
        """
        store = await self.provider.connect(nodeID)
        self.addCleanup(store.close)
        return store

    async def fails(self, call: Deferred[Any], kind: type[Exception]) -> Any:
        """
        @return: the error that the call failed with.
        """
        return await self.assertFailure(call, kind)

    async def lists(self, call: Deferred[list[str]], *expected: str) -> None:
        """
        The call fires with these, in any order, each once.
        """
        self.assertEqual(sorted(await call), sorted(expected))
