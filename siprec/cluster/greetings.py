"""
What a node says to all others when it comes and when it goes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from siprec.cluster.addresses import Addresses
from siprec.cluster.interfaces import IClusterLinks
from siprec.cluster.membership import Membership
from siprec.ids import NodeID
from siprec.session.model import NodeLease
from siprec.store.interfaces import ISessionStore, StoreError

__all__ = ["ARRIVING", "LEAVING", "Greetings"]

log = Logger()

#: Kinds of messages between nodes: a process ends; it wants its addresses back.
LEAVING, ARRIVING = "cluster.leaving", "cluster.arriving"

# Seconds that others have to give addresses back.
_PATIENCE = 2.0


@define(eq=False, repr=False)
class Greetings:
    """
    Says it, and does what follows when another node says it.
    """

    _node: NodeID
    _store: ISessionStore
    _links: IClusterLinks
    _membership: Membership
    _addresses: Addresses
    # Called when there are calls whose node is not there.
    _unsettle: Callable[[], None]
    _met: dict[NodeID, NodeLease] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._links.handle(LEAVING, self._peerLeaves)
        self._links.handle(ARRIVING, self._peerArrives)

    async def arrive(self) -> None:
        """
        Have the addresses of this node back, in case others listen there
        since its last process died.
        """
        try:
            leases = await self._store.nodes()
            owners = await self._store.owners()
        except StoreError as error:
            log.info("addresses not asked back: {why}", why=str(error))
            return
        self._met = {each.nodeID: each for each in leases}
        if owners.keys() - self._met.keys():
            self._unsettle()
        self._met.pop(self._node, None)
        asked = [self._links.request(node, ARRIVING, None, _PATIENCE) for node in self._met]
        for success, result in await DeferredList(asked, consumeErrors=True):
            if not success:
                log.info("addresses not asked back: {why}", why=result.getErrorMessage())

    async def leave(self) -> None:
        """
        Say good-bye.
        """
        living = list(self._membership.living)
        telling = [self._links.request(node, LEAVING, None, _PATIENCE) for node in living]
        await DeferredList(telling, consumeErrors=True)

    def leaseOf(self, node: NodeID) -> NodeLease | None:
        """
        @return: the last lease that was seen of a node.
        """
        return self._membership.leaseOf(node) or self._met.get(node)

    def _peerLeaves(self, peer: Any, body: Any) -> None:
        lease = self.leaseOf(peer.nodeID)
        self._membership.left(peer.nodeID, peer.instance)
        if lease is not None:
            # Peers of calls that it gave away may still send there.
            self._addresses.take(lease)

    def _peerArrives(self, peer: Any, body: Any) -> Deferred[None]:
        return self._addresses.giveBack(peer.nodeID)
