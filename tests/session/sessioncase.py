"""
A session service over a store in memory, on a clock.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.ids import nodeID
from siprec.session.model import CallSnapshot
from siprec.session.service import SessionService
from siprec.store.memory import MemorySessionStore
from siprec.store.memorysessions import SessionMemory
from tests.session.recordings import NODE, START, dialog, session


class SessionTestCase(SynchronousTestCase):
    """
    A store in memory, on a clock.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(START)
        self.memory = SessionMemory(self.clock.seconds)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def make(self, node: str = NODE, **rest: Any) -> SessionService:
        """
        @return: the service of one node.
        """
        store = MemorySessionStore(self.clock, nodeID(node), self.memory)
        return SessionService(store, self.clock, nodeID=node, **rest)

    def begin(self, node: str = NODE, **rest: Any) -> SessionService:
        """
        @return: the service of a node that runs.
        """
        service = self.make(node, **rest)
        self.successResultOf(Deferred.fromCoroutine(service.begin()))
        self.addCleanup(lambda: self.successResultOf(service.stopService()))
        return service

    def snapshot(self, number: int = 1) -> CallSnapshot:
        """
        @return: of a call that runs.
        """
        recording = evolve(session("/r", number), state="recording")
        return CallSnapshot(recording, dialog(), lastActivity=self.clock.seconds())

    def mine(self, service: SessionService) -> list[CallSnapshot]:
        """
        @return: the calls that a node finds.
        """
        return self.successResultOf(Deferred.fromCoroutine(service.mine()))
