"""
Holding connections open to certain nodes, and noticing when one falls silent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.cluster.link import Link
from siprec.cluster.table import LinkTable
from siprec.ids import NodeID
from siprec.session.model import NodeLease

__all__ = ["Keeper"]

log = Logger()

#: Longest pause between two attempts to connect, in turns.
LONGEST_PAUSE = 4

#: After so many turns of silence a connection is given up and made anew.
LONGEST_SILENCE = 20


@define(eq=False, repr=False)
class _Kept:
    """
    One node to which a connection is held.

    @ivar instance: that was last connected to.
    @ivar connecting: whether an attempt is under way.
    @ivar pause: turns until the next attempt; C{lastPause} those before the last.
    @ivar silent: whether its silence was told.
    @ivar reason: why the last attempt failed.
    """

    nodeID: NodeID
    instance: str = ""
    connecting: bool = False
    pause: int = 0
    lastPause: int = 0
    silent: bool = False
    reason: str | None = None


@define(eq=False, repr=False)
class Keeper:
    """
    Looks after the kept nodes, once in each ping interval.
    """

    _leaseOf: Callable[[NodeID], NodeLease | None]
    _links: LinkTable
    _connect: Callable[[NodeLease], Deferred[Link]]
    # Called once for each silence that begins.
    _onSilent: Callable[[NodeID], None]
    _kept: dict[NodeID, _Kept] = field(factory=dict, init=False)

    def keep(self, nodes: Iterable[NodeID]) -> None:
        """
        From the next turn on hold connections to these nodes, and no others.
        """
        self._kept = {node: self._kept.get(node) or _Kept(node) for node in nodes}

    def holds(self, link: Link) -> bool:
        """
        @return: whether this is the connection that is held to a kept node.
        """
        if link.peer is None or link.peer.nodeID not in self._kept:
            return False
        return self._find(link.peer.nodeID, self._leaseOf(link.peer.nodeID)) is link

    def turn(self, beat: bool = True) -> None:
        """
        Ping what is connected, and connect what is not.

        @param beat: false between two turns, when there may be new nodes to connect
            to: silence is counted in pings at equal distances.
        """
        for kept in list(self._kept.values()):
            lease = self._leaseOf(kept.nodeID)
            link = self._find(kept.nodeID, lease)
            if link is not None:
                if beat:
                    self._beat(kept, link)
            elif lease is not None and not kept.connecting:
                self._try(kept, lease, beat)

    def _find(self, node: NodeID, lease: NodeLease | None) -> Link | None:
        return self._links.find(node, None if lease is None else lease.instance)

    def _beat(self, kept: _Kept, link: Link) -> None:
        kept.pause = kept.lastPause = 0
        kept.reason = None
        missed = link.beat()
        if missed >= LONGEST_SILENCE:
            link.abort()
        elif link.isSilent and not kept.silent:
            kept.silent = True
            self._onSilent(kept.nodeID)
        elif not missed:
            kept.silent = False

    def _try(self, kept: _Kept, lease: NodeLease, beat: bool) -> None:
        if kept.instance != lease.instance:
            kept.instance, kept.pause, kept.lastPause = lease.instance, 0, 0
        if kept.pause:
            kept.pause -= 1 if beat else 0
            return
        kept.lastPause = min(LONGEST_PAUSE, 2 * kept.lastPause or 1)
        # One turn passes anyway.
        kept.pause = kept.lastPause - 1
        kept.connecting = True
        connected = self._connect(lease).addCallbacks(
            self._connected, self._failed, (kept,), {}, (kept,)
        )
        connected.addErrback(
            lambda failure: log.failure("{node}: not kept", failure, node=kept.nodeID)
        )

    def _connected(self, link: Link, kept: _Kept) -> None:
        kept.connecting = False
        log.info("{node}: connected", node=kept.nodeID)

    def _failed(self, failure: Failure, kept: _Kept) -> None:
        kept.connecting = False
        reason = failure.getErrorMessage() or type(failure.value).__name__
        if reason != kept.reason:
            # Once for each reason, as long as it lasts.
            kept.reason = reason
            log.info("{node}: not connected: {reason}", node=kept.nodeID, reason=reason)
