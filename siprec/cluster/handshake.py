"""
How two nodes show each other that they are of one cluster, before anything else.

Each node has a key, made anew for each life of its process, which stands in its
lease: who can read the store can read it.  Both sides say who they are, with a
nonce; then each proves, the one that connects first, that it knows the key of the
one that was connected to, by an HMAC over its role and both greetings.

Pure: bytes in, effects out.
"""

import hmac
import secrets
from collections.abc import Callable
from enum import Enum
from typing import Any

from attrs import define, field, frozen

from siprec.cluster.wire import SCHEMAS, BadFrame, FrameCutter, frame, pack, unpack
from siprec.ids import NodeID, nodeID

__all__ = [
    "TIME_LIMIT",
    "Authenticated",
    "Effects",
    "Handshake",
    "HandshakeError",
    "NoCommonSchema",
    "NotAuthentic",
    "OtherPeer",
    "Peer",
    "Refused",
    "Send",
    "effectiveKey",
]

#: Seconds that a connection may take until it is authenticated.
TIME_LIMIT = 2.0

#: Longest frame before that, in bytes.
MAX_HELLO = 1024

_NONCE = 32
_LONGEST_INSTANCE = 128
_MAGIC = "siprec cluster 1"


class HandshakeError(Exception):
    """
    The peer is not one to speak with, or sends what is no handshake.
    """


class OtherPeer(HandshakeError):
    """
    Another node or instance than the one that is wanted answers; it says so itself,
    and has proven nothing.

    @ivar peer: what it says it is.
    """

    def __init__(self, peer: "Peer") -> None:
        super().__init__(f"{peer.nodeID} ({peer.instance}) answers there")
        self.peer = peer


class NoCommonSchema(HandshakeError):
    """
    The versions of the program are too far apart.
    """


class NotAuthentic(HandshakeError):
    """
    The peer's proof is wrong: another key, another cluster secret, or an attacker.
    """


class Role(Enum):
    """
    Who opened the connection.
    """

    CONNECTING = "connecting"
    LISTENING = "listening"


@frozen
class Peer:
    """
    One life of a node's process.
    """

    nodeID: NodeID
    instance: str


@frozen
class Send:
    """
    These bytes go to the peer.
    """

    data: bytes


@frozen
class Authenticated:
    """
    The handshake is done; messages may follow.

    @ivar schema: the one that both speak.
    @ivar rest: bytes that came after the handshake.
    """

    peer: Peer
    schema: int
    rest: bytes = b""


@frozen
class Refused:
    """
    The connection is to be closed at once.
    """

    error: HandshakeError


Effect = Send | Authenticated | Refused
Effects = list[Effect]


def effectiveKey(key: bytes, secret: bytes | None) -> bytes:
    """
    @param key: of the node that is connected to.
    @param secret: of the cluster, if there is one.
    @return: what its proofs are made with.
    """
    return key if secret is None else hmac.digest(secret, key, "sha256")


@define(eq=False, repr=False)
class Handshake:
    """
    One side of one handshake.

    It moves along a line, and ends with exactly one L{Authenticated} or L{Refused};
    each input has no effect after that::

        connecting:  start/hello --> hello/proof ---> proof/authenticated
        listening:   (start) ------> hello/hello ---> proof/proof, authenticated
    """

    _role: Role
    _own: Peer
    # See effectiveKey; of the listening side, which takes another one instead.
    _key: bytes
    # Who is to answer; None: anyone that knows the key.
    _expected: Peer | None = None
    _schemas: tuple[int, int] = SCHEMAS
    _random: Callable[[int], bytes] = secrets.token_bytes
    _others: tuple[bytes, ...] = ()
    _cutter: FrameCutter = field(factory=lambda: FrameCutter(MAX_HELLO), init=False)
    # What is done with the next frame; None: the handshake has ended.
    _next: Callable[[bytes], Effects] | None = field(init=False)
    _hello: bytes = field(init=False, default=b"")
    _theirs: bytes = field(init=False, default=b"")
    _peer: Peer | None = field(init=False, default=None)
    _schema: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self._next = self._greeted
        self._hello = pack(
            [
                *(_MAGIC, list(self._schemas), self._own.nodeID, self._own.instance),
                self._random(_NONCE),
            ]
        )

    @classmethod
    def connecting(cls, own: Peer, expected: Peer, key: bytes, **more: Any) -> "Handshake":
        """
        @param expected: who is connected to, and C{key} its effective key.
        """
        return cls(Role.CONNECTING, own, key, expected, **more)

    @classmethod
    def listening(cls, own: Peer, key: bytes, *others: bytes, **more: Any) -> "Handshake":
        """
        @param key: our own effective key.
        @param others: the same with other secrets of the cluster: the one that the
            peer's proof is made with is the one of ours, too.
        """
        return cls(Role.LISTENING, own, key, others=others, **more)

    def start(self) -> Effects:
        """
        The connection is there.
        """
        # The listening side says nothing to one who does not speak first.
        return [Send(frame(self._hello))] if self._role is Role.CONNECTING else []

    def feed(self, data: bytes) -> Effects:
        """
        Some bytes came.
        """
        effects: Effects = []
        if self._next is not None:
            self._cutter.add(data)
        while self._next is not None:
            try:
                payload = self._cutter.take()
                if payload is None:
                    break
                effects.extend(self._next(payload))
            except BadFrame as error:
                effects.extend(self._refuse(HandshakeError(str(error))))
            except HandshakeError as error:
                effects.extend(self._refuse(error))
        return effects

    def timeout(self) -> Effects:
        """
        The time for it is over.
        """
        if self._next is None:
            return []
        return self._refuse(HandshakeError(f"not authenticated within {TIME_LIMIT:g} s"))

    def _greeted(self, payload: bytes) -> Effects:
        self._theirs = payload
        peer, schemas = _readHello(payload)
        if peer == self._own:
            # Whoever sends our greeting back to us hopes for our proof.
            raise HandshakeError("it says it is this very process")
        if self._expected is not None and peer != self._expected:
            raise OtherPeer(peer)
        self._peer = peer
        # The connecting side has said its greeting, and the other one must, for
        # both to know why there is no common schema.
        effects: Effects = [] if self._role is Role.CONNECTING else [Send(frame(self._hello))]
        self._schema = min(self._schemas[1], schemas[1])
        if self._schema < max(self._schemas[0], schemas[0]):
            why = f"it speaks schemas {schemas[0]} to {schemas[1]}, this node "
            error = NoCommonSchema(f"{why}{self._schemas[0]} to {self._schemas[1]}")
            return [*effects, *self._refuse(error)]
        if self._role is Role.CONNECTING:
            effects = [Send(frame(self._proof(self._role)))]
        self._next = self._proven
        return effects

    def _proven(self, payload: bytes) -> Effects:
        theirs = Role.LISTENING if self._role is Role.CONNECTING else Role.CONNECTING
        for key in (self._key, *self._others):
            self._key = key
            if hmac.compare_digest(payload, self._proof(theirs)):
                break
        else:
            raise NotAuthentic("its proof is wrong: another key or another cluster secret")
        assert self._peer is not None
        self._next = None
        done = Authenticated(self._peer, self._schema, self._cutter.rest())
        if self._role is Role.CONNECTING:
            return [done]
        return [Send(frame(self._proof(self._role))), done]

    def _proof(self, role: Role) -> bytes:
        """
        @return: what the side of this role sends.  The greetings are covered as they
            were sent: nonces, names, instances and schemas.
        """
        greetings = [self._hello, self._theirs]
        if self._role is Role.LISTENING:
            greetings.reverse()
        return hmac.digest(self._key, pack([_MAGIC, role.value, *greetings]), "sha256")

    def _refuse(self, error: HandshakeError) -> Effects:
        self._next = None
        self._cutter.rest()
        return [Refused(error)]


def _readHello(payload: bytes) -> tuple[Peer, tuple[int, int]]:
    """
    @return: who greets, and the schemas it speaks.
    @raise HandshakeError: it is no greeting.
    """
    items = unpack(payload)
    # A newer node may say more.
    if type(items) is not list or len(items) < 5 or items[0] != _MAGIC:
        raise HandshakeError("no greeting of a cluster's node")
    _, schemas, name, instance, nonce, *_ = items
    if type(nonce) is not bytes or len(nonce) != _NONCE:
        raise HandshakeError("no nonce in its greeting")
    if type(instance) is not str or not 0 < len(instance) <= _LONGEST_INSTANCE:
        raise HandshakeError("no instance in its greeting")
    try:
        low, high = schemas
        if not (type(low) is type(high) is int and 0 < low <= high):
            raise ValueError("no range")
        return Peer(nodeID(name), instance), (low, high)
    except (TypeError, ValueError) as error:
        raise HandshakeError("no node id or schemas in its greeting") from error
