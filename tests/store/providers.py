"""
Providers of stores for the contract, over the memory of the test.
"""

from __future__ import annotations

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from siprec.ids import NodeID
from siprec.store.backup import BackupSessionStore
from siprec.store.interfaces import ISessionStore
from siprec.store.memory import MemorySessionStore
from siprec.store.memorysessions import SessionMemory


@define
class MemoryProvider:
    """
    Stores over one memory, on a clock that the test moves.
    """

    clock: Clock = field(factory=Clock)
    memory: SessionMemory = field(init=False)

    @memory.default
    def _empty(self) -> SessionMemory:
        return SessionMemory(self.clock.seconds)

    def connect(self, nodeID: NodeID) -> Deferred[ISessionStore]:
        """
        See L{tests.store.contract.Provider.connect}.
        """
        return succeed(MemorySessionStore(self.clock, nodeID, self.memory))

    def wait(self, seconds: float) -> Deferred[None]:
        """
        See L{tests.store.contract.Provider.wait}.
        """
        self.clock.advance(seconds)
        return succeed(None)


@define
class BackupProvider:
    """
    Stores over two memories.
    """

    clock: Clock = field(factory=Clock)
    primary: MemoryProvider = field(init=False)
    second: MemoryProvider = field(init=False)

    @primary.default
    @second.default
    def _memory(self) -> MemoryProvider:
        return MemoryProvider(self.clock)

    def connect(self, nodeID: NodeID) -> Deferred[ISessionStore]:
        """
        See L{tests.store.contract.Provider.connect}.
        """
        primary, second = (
            MemorySessionStore(self.clock, nodeID, each.memory)
            for each in (self.primary, self.second)
        )
        return succeed(BackupSessionStore(primary, second, self.clock))

    def wait(self, seconds: float) -> Deferred[None]:
        """
        See L{tests.store.contract.Provider.wait}.
        """
        self.clock.advance(seconds)
        return succeed(None)
