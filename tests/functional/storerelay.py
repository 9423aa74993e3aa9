"""
A way to a store that may let requests pass, and no replies, or those one after the
other: so a node can be caught between what it has written and what it does because of
that.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from tests.functional.node import HOST, reactor


class _End(Protocol):
    """
    One end of a relayed connection.

    @ivar peer: the other one, once it is there.
    @ivar waiting: what came before that.
    """

    transport: Any

    def __init__(self, relay: StoreRelay, replies: bool) -> None:
        self.relay = relay
        self.replies = replies
        self.peer: _End | None = None
        self.waiting: list[bytes] = []

    def connectionMade(self) -> None:
        if not self.replies:
            self.relay.connect(self)
            return
        assert self.peer is not None
        self.transport.writeSequence(self.peer.waiting)
        self.peer.peer = self

    def dataReceived(self, data: bytes) -> None:
        if self.replies and self.relay.holding:
            self.relay.held.append((self, data))
            return
        if self.peer is None:
            self.waiting.append(data)
        else:
            self.peer.transport.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.peer is not None:
            self.peer.transport.loseConnection()


class StoreRelay:
    """
    Listens on a port of its own, and relays to a server's.

    @ivar holding: whether replies are kept back; those are lost unless L{letPass} is
        called before it ends.
    @ivar held: who got what meanwhile.
    """

    def __init__(self, port: int) -> None:
        self.holding = False
        self.held: list[tuple[_End, bytes]] = []
        self._server = port
        factory = Factory.forProtocol(lambda: _End(self, replies=False))
        self._port: Any = reactor.listenTCP(0, factory, interface=HOST)

    @property
    def url(self) -> str:
        """
        The store's address by this way.
        """
        return f"redis://{HOST}:{self._port.getHost().port}/0"

    def letPass(self) -> None:
        """
        Let those replies pass that have been kept back until now.
        """
        held, self.held = self.held, []
        for end, data in held:
            if end.peer is not None:
                end.peer.transport.write(data)

    def connect(self, asking: _End) -> None:
        """
        Make the other half of a connection.
        """
        answering = _End(self, replies=True)
        answering.peer = asking
        factory = ClientFactory.forProtocol(lambda: answering)
        factory.noisy = False
        reactor.connectTCP(HOST, self._server, factory)

    def close(self) -> Any:
        """
        @return: fires when nothing is listened on any more.
        """
        return self._port.stopListening()
