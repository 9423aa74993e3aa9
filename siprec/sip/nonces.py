"""
Nonces that need no memory to be recognised, at every node that has the same key,
and the memory of those that were used (RFC 7616 sections 3.3 and 5.4).

Each nonce says which life of which node has made it: that one alone counts its
uses, so that none is good at two nodes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable

from attrs import define, field

__all__ = ["Nonces", "Replays", "issuerOf"]

# Octets of the parts of a nonce: when it was made in milliseconds, by whom, what
# makes it another one than those of the same moment, and the proof that it is of
# a node that has the key.
_TIME, _ISSUER, _RANDOM, _PROOF = 8, 8, 8, 18
_HEAD = _TIME + _ISSUER + _RANDOM

# Seconds by which the clock of another node may be before ours.
_AHEAD = 30.0

# So many counts below the highest may still come: requests overtake each other.
_WINDOW = 64


def issuerOf(instance: str) -> bytes:
    """
    @param instance: of a node, for one life of its process.
    @return: what its nonces have to show for that.
    """
    return hashlib.sha256(instance.encode("utf-8", "surrogateescape")).digest()[:_ISSUER]


@define(eq=False, repr=False)
class Nonces:
    """
    @ivar key: the same at all nodes that take each other's nonces.
    @ivar issuer: see L{issuerOf}.
    @ivar now: gives seconds since the Unix epoch.
    """

    key: bytes
    _now: Callable[[], float]
    issuer: bytes = bytes(_ISSUER)
    _random: Callable[[int], bytes] = secrets.token_bytes

    def make(self) -> str:
        """
        @return: a nonce that was never there before.
        """
        made = int(self._now() * 1000).to_bytes(_TIME, "big")
        head = made + self.issuer + self._random(_RANDOM)
        return base64.urlsafe_b64encode(head + self._prove(head)).decode("ascii")

    def age(self, nonce: str) -> float | None:
        """
        @return: seconds since it was made, at least 0; C{None} if it was not
            made with this key.
        """
        data = _decoded(nonce)
        head, proof = data[:_HEAD], data[_HEAD:]
        if not hmac.compare_digest(proof, self._prove(head)):
            return None
        age = self._now() - int.from_bytes(head[:_TIME], "big") / 1000
        return None if age < -_AHEAD else max(age, 0.0)

    def madeBy(self, nonce: str) -> bytes:
        """
        @param nonce: one that has an L{age}.
        @return: C{issuer} of the node that made it.
        """
        return _decoded(nonce)[_TIME : _TIME + _ISSUER]

    def _prove(self, head: bytes) -> bytes:
        return hmac.digest(self.key, b"sip nonce" + head, "sha256")[:_PROOF]


def _decoded(nonce: str) -> bytes:
    """
    @return: empty if it cannot be one of ours.
    """
    try:
        return base64.b64decode(nonce.encode("ascii"), b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return b""


@define(eq=False, repr=False)
class _Uses:
    born: float
    highest: int = 0
    # What each count was used for.
    seen: dict[int, int | None] = field(factory=dict)


@define(eq=False, repr=False)
class Replays:
    """
    Remembers which counts of which nonces were used at this node.  Only those
    with the password put anything in here.

    @ivar lifetime: seconds for which a nonce is good.
    """

    lifetime: float
    _now: Callable[[], float]
    _most: int = 10_000
    _nonces: OrderedDict[str, _Uses] = field(factory=OrderedDict, init=False)
    # Nonces made before this are not remembered any more, so not good either.
    _floor: float = field(default=float("-inf"), init=False)

    def use(self, nonce: str, age: float, count: int, purpose: int | None = None) -> bool:
        """
        @param age: of the nonce, in seconds.
        @param count: the nonce count.
        @param purpose: a number for what it is used for, if the same may come
            again.
        @return: whether it may be used: for the first time, or for the same
            purpose as before.
        """
        born = self._now() - age
        uses = self._nonces.get(nonce)
        if uses is None:
            if age > self.lifetime or born <= self._floor:
                return False
            uses = self._nonces[nonce] = _Uses(born)
            self._forget()
        if count in uses.seen:
            return purpose is not None and uses.seen[count] == purpose
        if count <= uses.highest - _WINDOW or count < 1:
            return False
        uses.seen[count] = purpose
        uses.highest = max(uses.highest, count)
        while len(uses.seen) > _WINDOW:
            del uses.seen[min(uses.seen)]
        return True

    def _forget(self) -> None:
        """
        Drop what is too old to be used again, and the oldest if there are too
        many.
        """
        while self._nonces:
            nonce = next(iter(self._nonces))
            uses = self._nonces[nonce]
            if uses.born + self.lifetime >= self._now() and len(self._nonces) <= self._most:
                return
            self._floor = max(self._floor, uses.born)
            del self._nonces[nonce]
