"""
Opening connections to other nodes.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from siprec.cluster.contact import contactOf
from siprec.cluster.credentials import Credentials
from siprec.cluster.errors import LinkLost, Unreachable
from siprec.cluster.handshake import Handshake
from siprec.cluster.link import Link, LinkSurroundings, Peer
from siprec.session.model import NodeLease

__all__ = ["CONNECT_TIME", "Dialer", "LinkFactory"]

#: Seconds that a connection may take; then the handshake has its own time.
CONNECT_TIME = 2.0


@define(eq=False, repr=False)
class LinkFactory(Factory):
    """
    Makes the links of one listener.
    """

    noisy = False

    _own: Peer
    _credentials: Credentials
    _around: LinkSurroundings

    def buildProtocol(self, addr: IAddress | None) -> Link:
        """
        Somebody is connected.
        """
        handshake = Handshake.listening(self._own, *self._credentials.own)
        return Link(handshake, self._around, ours=False)


@define(eq=False, repr=False)
class _OneLink(Factory):
    """
    Gives the link of one outgoing connection.
    """

    noisy = False

    _link: Link

    def buildProtocol(self, addr: IAddress | None) -> Link:
        """
        See L{Factory.buildProtocol}.
        """
        return self._link


@define(eq=False, repr=False)
class Dialer:
    """
    Opens authenticated links, one at a time to each instance for all who want it.
    """

    _reactor: Any
    _own: Peer
    _credentials: Credentials
    _around: LinkSurroundings
    _attempts: dict[Deferred[Link], None] = field(factory=dict, init=False)
    _waiting: dict[Peer, list[Deferred[Link]]] = field(factory=dict, init=False)
    _running: bool = field(default=False, init=False)

    def start(self) -> None:
        """
        From now on there may be connections.
        """
        self._running = True

    def stop(self) -> None:
        """
        Give up what is not connected yet, and connect no more.
        """
        self._running = False
        for attempt in list(self._attempts):
            attempt.cancel()

    def connect(self, lease: NodeLease) -> Deferred[Link]:
        """
        @return: see L{dial}; an attempt that is under way is shared, and goes on
            when one who waits for it is cancelled.
        """
        target = Peer(lease.nodeID, lease.instance)
        first = target not in self._waiting
        waiting = self._waiting.setdefault(target, [])
        waiter: Deferred[Link] = Deferred(waiting.remove)
        waiting.append(waiter)
        if first:
            self.dial(lease).addBoth(self._settled, target)
        return waiter

    def dial(self, lease: NodeLease) -> Deferred[Link]:
        """
        @return: fires with a link of its own to this very instance, authenticated.
            Fails with L{siprec.cluster.contact.NoContact}, an error of Twisted's
            endpoints, L{siprec.cluster.handshake.HandshakeError}, L{LinkLost}, or
            L{Unreachable} where this node has stopped.
        """
        if not self._running:
            return fail(Unreachable(lease.nodeID, "the links of this node are closed"))
        try:
            contact = contactOf(lease)
        except ValueError as error:
            return fail(error)
        expected = Peer(lease.nodeID, lease.instance)
        key = self._credentials.of(contact.key)
        link = Link(Handshake.connecting(self._own, expected, key), self._around, ours=True)
        endpoint = self._endpoint(contact.host, contact.port)
        attempt = Deferred.fromCoroutine(self._open(link, endpoint))
        self._attempts[attempt] = None

        def ended(result: Link | Failure) -> Link | Failure:
            del self._attempts[attempt]
            return result

        return attempt.addBoth(ended)

    async def _open(self, link: Link, endpoint: IStreamClientEndpoint) -> Link:
        factory = self._credentials.connecting(_OneLink(link), self._reactor)
        await endpoint.connect(factory)
        try:
            return await link.whenReady()
        except BaseException:  # if it is cancelled, too
            link.abort()
            raise

    def _endpoint(self, host: str, port: int) -> IStreamClientEndpoint:
        try:
            version = ipaddress.ip_address(host).version
        except ValueError:
            return HostnameEndpoint(self._reactor, host, port, timeout=CONNECT_TIME)
        kind = TCP6ClientEndpoint if version == 6 else TCP4ClientEndpoint
        return kind(self._reactor, host, port, timeout=CONNECT_TIME)

    def _settled(self, result: Link | Failure, target: Peer) -> None:
        waiting = self._waiting.pop(target)
        while waiting:  # one may cancel another
            waiter = waiting.pop(0)
            if isinstance(result, Link) and not result.isOpen:
                waiter.errback(LinkLost("closed as soon as it was open"))
            elif isinstance(result, Link):
                waiter.callback(result)
            else:
                waiter.errback(result.value)
