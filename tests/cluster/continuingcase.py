"""
A call of a node that is gone, for the tests of L{siprec.cluster.continuing}.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from siprec.session.model import SessionData
from tests.cluster.nodecase import ClusterTestCase


class ContinuationTestCase(ClusterTestCase):
    """
    C{n1} had a call and is gone; C{n2} owns its record.

    @ivar data: that.
    """

    count = 2

    def setUp(self) -> None:
        super().setUp()
        self.a, self.b = self.nodes
        self.src = self.call()
        self.lease = self.leases()["n1"]
        self.data = self.claimed()

    def claimed(self) -> SessionData:
        """
        @return: the only call of C{n1}, which is C{n2}'s from now on.
        """
        key = self.key()
        data = self.memory.claim(key, self.b.node, self.record(key).epoch)
        self.a.recorder.letGo(key)
        self.a.state.adapter.forget(key)
        self.b.state.adapter.learn(data)
        return data

    def take(self, known: bool = True, **changes: Any) -> Deferred[None]:
        """
        Take over the call.

        @param known: whether the other node was seen alive.
        @param changes: to its recording.
        """
        data = self.data
        assert data.snapshot is not None
        if changes:
            recording = evolve(data.snapshot.recording, **changes)
            data = evolve(data, snapshot=evolve(data.snapshot, recording=recording))
        lease = self.lease if known else None
        return Deferred.fromCoroutine(self.b.continuation.takeOver(data, lease))

    def bye(self) -> int:
        """
        @return: how the new node answers the peer's BYE.
        """
        self.src.house = self.b  # type: ignore[assignment]
        return self.src.bye().status
