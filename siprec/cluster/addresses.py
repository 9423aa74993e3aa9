"""
The SIP addresses of dead nodes, where they can be had on this host: their peers
go on sending there.
"""

from __future__ import annotations

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from siprec.cluster.places import Places
from siprec.ids import NodeID
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
        if kind in _TRANSPORTS and port.isdecimal():
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
    _held: dict[NodeID, list[_Address]] = field(factory=dict, init=False)
    _loop: LoopingCall | None = field(default=None, init=False)

    def startService(self) -> None:
        """
        See L{twisted.application.service.IService.startService}.
        """
        super().startService()
        self._loop = LoopingCall(self._tryAll)
        self._loop.clock = self._clock
        self._loop.start(self._interval)

    def stopService(self) -> Deferred[None]:
        """
        @return: fires when no address of another node is listened at any more.
        """
        super().stopService()
        if self._loop is not None:
            self._loop.stop()
            self._loop = None
        closing = [self.giveBack(node) for node in list(self._dead)]
        return DeferredList(closing).addCallback(lambda _: None)

    @property
    def held(self) -> dict[NodeID, list[_Address]]:
        """
        The addresses of other nodes that are listened at here.
        """
        return {node: list(each) for node, each in self._held.items() if each}

    def take(self, lease: NodeLease) -> None:
        """
        A node is dead: have its addresses, now or when they come here.
        """
        if self.running:
            self._dead[lease.nodeID] = lease
            self._try(lease)

    def giveBack(self, node: NodeID) -> Deferred[None]:
        """
        A node is back, or is about to start.

        @return: fires when it can bind its addresses.
        """
        self._dead.pop(node, None)
        held = self._held.pop(node, [])
        if not held:
            return succeed(None)
        log.info("{node}: gets its SIP addresses back", node=node)
        closing = [self._transport.abandon(*each) for each in held]
        return DeferredList(closing).addCallback(lambda _: None)

    def _tryAll(self) -> None:
        for lease in list(self._dead.values()):
            self._try(lease)

    def _try(self, lease: NodeLease) -> None:
        held = self._held.setdefault(lease.nodeID, [])
        for address in addressesOf(lease):
            if address in held or not self._places.isHere(address[1], lease):
                continue
            try:
                self._transport.adopt(*address)
            except ListenFailed as error:
                # In use: by another survivor, or its process is only frozen.
                log.debug("{node}: {why}", node=lease.nodeID, why=str(error))
            else:
                held.append(address)
