"""
The SIP addresses of dead nodes, where they can be had on this host: their peers
go on sending there.
"""

from __future__ import annotations

import re

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from siprec.cluster.places import Places
from siprec.ids import NodeID
from siprec.rounds import Rounds
from siprec.session.model import NodeLease
from siprec.sip.transport import ListenFailed, TransportService

__all__ = ["Addresses", "addressesOf"]

log = Logger()

_Address = tuple[str, str, int]

# TLS needs the other node's key, which is its own.
_TRANSPORTS = {"udp": "UDP", "tcp": "TCP"}


def addressesOf(lease: NodeLease) -> list[_Address]:
    """
    @return: transport, host and port of each SIP listener that can be taken over.
    """
    found = []
    for text in lease.addresses:
        kind, _, rest = text.partition(":")
        host, _, port = rest.rpartition(":")
        if kind in _TRANSPORTS and re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) <= 65535:
            found.append((_TRANSPORTS[kind], host, int(port)))
    return found


@define(eq=False, repr=False, slots=False)
class Addresses(Service):
    """
    Listens at the addresses of each dead node as long as it is dead.  Of several
    survivors on one host one gets them, and passes on what is for the others; if
    it dies, the next one does.
    """

    _transport: TransportService
    _places: Places
    _clock: IReactorTime
    # Seconds between two attempts to have an address that is not here yet.
    _interval: float = 1.0
    _dead: dict[NodeID, NodeLease] = field(factory=dict, init=False)
    # For whom each address is held: the dead may have had the same one.
    _held: dict[_Address, NodeID] = field(factory=dict, init=False)
    # What nodes have that are back; it may have been that of another dead one, too.
    _given: set[_Address] = field(factory=set, init=False)
    _rounds: Rounds = field(init=False)

    @_rounds.default
    def _makeRounds(self) -> Rounds:
        return Rounds(
            self._clock, self._interval, self._tryAll, "SIP addresses of dead nodes were not tried"
        )

    def startService(self) -> None:
        """
        See L{twisted.application.service.IService.startService}.
        """
        super().startService()
        self._rounds.start()

    def stopService(self) -> Deferred[None]:
        """
        @return: fires when no address of another node is listened at any more.
        """
        super().stopService()
        ended = self._rounds.stop()
        closing = [self.giveBack(node) for node in {*self._dead, *self._held.values()}]
        return DeferredList([ended, *closing]).addCallback(lambda _: None)

    @property
    def held(self) -> dict[NodeID, list[_Address]]:
        """
        The addresses of other nodes that are listened at here.
        """
        held: dict[NodeID, list[_Address]] = {}
        for address, node in self._held.items():
            held.setdefault(node, []).append(address)
        return held

    def take(self, lease: NodeLease) -> None:
        """
        A node is dead: have its addresses, now or when they come here.
        """
        self._dead[lease.nodeID] = lease
        self._given.difference_update(addressesOf(lease))
        if self.running:
            self._try(lease)

    def giveBack(self, node: NodeID, lease: NodeLease | None = None) -> Deferred[None]:
        """
        A node is back, or is about to start.

        @param lease: its new one, if it is known: what it listens at is no dead
            node's any more.
        @return: fires when it can bind its addresses.
        """
        dead = self._dead.pop(node, None)
        for each in (dead, lease):
            self._given.update(() if each is None else addressesOf(each))
        held = [
            address
            for address, owner in self._held.items()
            if owner == node or address in self._given
        ]
        if held:
            log.info("{node}: gets its SIP addresses back", node=node)
        for address in held:
            del self._held[address]
        closing = [self._transport.abandon(*address) for address in held]
        return DeferredList(closing).addCallback(lambda _: None)

    def _tryAll(self) -> None:
        for lease in list(self._dead.values()):
            self._try(lease)

    def _try(self, lease: NodeLease) -> None:
        # One that fails must not keep back the others.
        try:
            for address in addressesOf(lease):
                taken = address in self._held or address in self._given
                if not taken and self._places.isHere(address[1], lease):
                    self._adopt(address, lease.nodeID)
        except Exception:
            log.failure("{node}: its SIP addresses were not taken", node=lease.nodeID)

    def _adopt(self, address: _Address, node: NodeID) -> None:
        try:
            self._transport.adopt(*address)
        except (ListenFailed, ValueError) as error:
            # In use: by another survivor, or its process is only frozen.
            log.debug("{node}: {why}", node=node, why=str(error))
        # It takes nothing while it does not run itself.
        if address in self._transport.adopted:
            self._held[address] = node
