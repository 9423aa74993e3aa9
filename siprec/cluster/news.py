"""
What a node does when membership tells of another one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from attrs import define
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from siprec.cluster.addresses import Addresses
from siprec.cluster.handover import Giver
from siprec.cluster.knowledge import Knowledge
from siprec.cluster.membership import Member
from siprec.cluster.segments import Segments
from siprec.cluster.takeover import Takeover
from siprec.cluster.witnesses import Witnesses
from siprec.ids import NodeID
from siprec.session.model import NodeLease

__all__ = ["News"]

log = Logger()


@define(eq=False, repr=False)
class News:
    """
    Counts it, and tells the parts.  The methods are those of
    L{siprec.cluster.membership.Listeners}.
    """

    _counters: Counter[str]
    _addresses: Addresses
    _segments: Segments
    _giver: Giver
    _takeover: Takeover
    _knowledge: Knowledge
    _witnesses: Witnesses
    # Whether this node is one of the cluster.
    _isRunning: Callable[[], bool]

    def joined(self, lease: NodeLease) -> None:
        """
        A node is there.
        """
        self._counters["joined"] += 1
        self._addresses.giveBack(lease.nodeID, lease)
        self._segments.nodeJoined(lease.nodeID)

    def suspected(self, lease: NodeLease) -> None:
        """
        A node may be dead.
        """
        self._counters["suspected"] += 1

    def died(self, member: Member) -> None:
        """
        A node is dead.
        """
        lease = member.lease
        self._counters["died"] += 1
        self._knowledge.unsettle()
        self._giver.nodeDied(lease.nodeID)
        instance = lease.instance if member.certain else ""
        self._takeover.nodeDied(lease.nodeID, instance, lease.sessions)
        self._addresses.take(lease)

    def orphaned(self, node: NodeID) -> None:
        """
        A node that this one has never seen alive has calls.
        """
        Deferred.fromCoroutine(self._adopt(node)).addErrback(
            lambda failure: log.failure("{node}: calls not taken over", failure, node=node)
        )

    async def _adopt(self, node: NodeID) -> None:
        """
        Take them over: it may have lost the store before this one began.
        """
        if await self._witnesses.haveSeen(node):
            log.info("{node}: has no lease, but others know that it lives", node=node)
        elif self._isRunning():
            self._knowledge.unsettle()
            self._takeover.nodeDied(node)
