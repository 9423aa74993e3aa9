"""
Tests of several whole nodes.
"""

from __future__ import annotations

import json
import os
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.ids import NodeID
from siprec.session.model import CallSnapshot, NodeLease, SessionData
from siprec.sip.message import Request
from siprec.store.memorysessions import SessionMemory
from tests.cluster.fakenodes import FakeNode
from tests.cluster.fakewires import Wires
from tests.uas.kit import PEER, Src


class ClusterTestCase(SynchronousTestCase):
    """
    Nodes C{n1} and so on, which know one another.

    @ivar byAddress: see L{FakeNode}.
    """

    byAddress = True
    count = 2

    def setUp(self) -> None:
        self.clock = Clock()
        self.root = os.path.abspath(self.mktemp())
        self.memory = SessionMemory(self.clock.seconds)
        self.wires = Wires(self.clock)
        self.nodes = [self.make(number + 1) for number in range(self.count)]
        self.addCleanup(self._stop)
        for each in self.nodes:
            each.start()
        self.wait(7)

    def make(self, number: int, **options: object) -> FakeNode:
        """
        @return: a node that is not started.
        """
        return FakeNode(
            NodeID(f"n{number}"),
            self.root,
            self.clock,
            self.memory,
            self.wires,
            self.byAddress,
            options,
        )

    def _stop(self) -> None:
        for each in self.nodes:
            each.store.away, each.store.held = each.clock.dead, None
            each.workers.finish()
        self.wires.cut.clear()
        self.wires.deaf.clear()
        for each in self.nodes:
            each.stop()
        for each in self.nodes:
            self.assertEqual(each.clock.getDelayedCalls(), [])
            if not each.clock.dead:
                self.assertEqual(each.ports.taken, [])
                self.assertEqual(each.layer.counters["unhandledErrors"], 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def wait(self, seconds: float) -> None:
        """
        Let time go by, in steps of a twentieth of a second.
        """
        self.clock.pump([0.05] * round(seconds * 20))

    def call(self, node: int = 0, number: int = 1, *headers: tuple[str, str]) -> Src:
        """
        @return: a peer with a call to one of the nodes.
        """
        src = Src(cast(Any, self.nodes[node]), callID=f"{number}@{PEER}")
        src.call(*headers)
        self.wait(0.1)
        return src

    def key(self, node: int = 0) -> str:
        """
        @return: the id of a node's only recording.
        """
        [key] = self.nodes[node].service.recordings
        return key

    def record(self, key: str) -> SessionData:
        """
        @return: what the store has.
        """
        return self.memory.get(key)

    def owners(self) -> list[str]:
        """
        @return: of all records.
        """
        return [self.memory.get(key).nodeID for key in sorted(self.memory.list(None))]

    def leases(self) -> dict[str, NodeLease]:
        """
        @return: of the living nodes.
        """
        return {each.nodeID: each for each in self.memory.nodes()}

    def sent(self, node: int) -> list[str]:
        """
        @return: the methods of the requests that a node has sent to peers.
        """
        found = self.nodes[node].wire.take()
        return [each.method for each in found if isinstance(each, Request)]

    def manifests(self) -> list[dict[str, Any]]:
        """
        @return: all that are on the disk, the oldest first.
        """
        found = []
        for folder, _, names in os.walk(self.root):
            if "recording.json" in names:
                with open(os.path.join(folder, "recording.json"), "rb") as file:
                    found.append(json.load(file))
        return sorted(found, key=lambda each: str(each["id"]))

    @property
    def manifest(self) -> dict[str, Any]:
        """
        The only one.
        """
        [manifest] = self.manifests()
        return manifest

    def markers(self, node: str) -> list[str]:
        """
        @return: what is marked as unfinished by a node.
        """
        return sorted(os.listdir(os.path.join(self.root, ".running", node)))

    def snapshot(self, key: str) -> CallSnapshot:
        """
        @return: what the store has of a call.
        """
        found = self.record(key).snapshot
        assert found is not None
        return found

    def given(self, node: int = 0, to: int = 1, until: float | None = None) -> Deferred[bool]:
        """
        @return: fires with whether a node's only call has been given away.
        """
        giver = self.nodes[node]
        [call] = giver.calls
        lease = self.leases()[self.nodes[to].node]
        return Deferred.fromCoroutine(giver.cluster.giver.give(call, lease, until))

    def drain(self, node: int, seconds: float = 20.0) -> Deferred[None]:
        """
        Drain a node as its operator does, but for what follows it.
        """
        each = self.nodes[node]
        each.service.draining = True
        draining = each.cluster.giveAway(self.clock.seconds() + seconds)
        return Deferred.fromCoroutine(draining)
