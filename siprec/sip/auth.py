"""
Does a request prove that it is of a user we know (RFC 3261 section 22)?
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Literal

from attrs import define, field, frozen

from siprec.sip.digest import (
    ALGORITHMS,
    Credentials,
    Users,
    challenge,
    parseCredentials,
)
from siprec.sip.errors import BadHeader, BadURI
from siprec.sip.matching import serverKey
from siprec.sip.message import Request
from siprec.sip.nonces import Nonces, Replays
from siprec.sip.uri import SipURI, parseURI

__all__ = ["Authenticated", "Authenticator", "Challenge", "Elsewhere", "Why"]

#: Why a request is challenged.  C{noCredentials}: the usual first step.
Why = Literal["noCredentials", "wrongCredentials", "staleNonce", "replayedNonce"]


# Stands for the HA1 of a user that there is not.
_NOBODY = "0" * 64


@frozen
class Authenticated:
    """
    It is of this user.
    """

    user: str


@frozen
class Challenge:
    """
    It is to be answered 401.

    @ivar headers: to go with that.
    """

    why: Why
    headers: tuple[tuple[str, str], ...]


@frozen
class Elsewhere:
    """
    It is of this user, unless it is a replay: that the node knows that has made
    the nonce; see L{Authenticator.use}.

    @ivar issuer: see L{siprec.sip.nonces.issuerOf}.
    @ivar purpose: what it is used for, where the same may come again.
    """

    user: str
    issuer: bytes
    nonce: str
    count: int
    purpose: int | None


@define(eq=False, repr=False)
class Authenticator:
    """
    @ivar realm: of all users.
    @ivar algorithms: that are offered, of L{ALGORITHMS}.
    @ivar users: by user, realm and algorithm.
    """

    nonces: Nonces
    replays: Replays
    realm: str = "siprec"
    algorithms: Sequence[str] = ()
    users: Users = field(factory=dict)

    def check(self, request: Request) -> Authenticated | Challenge | Elsewhere:
        """
        @param request: as it came; neither ACK nor CANCEL (RFC 3261 section
            22.1), nor a copy of one with a transaction.
        """
        given = self._given(request)
        if isinstance(given, str):
            return self.challenge(given)
        ha1 = self.users.get((given.user, given.realm, given.algorithm))
        if given.algorithm not in self.algorithms:
            return self.challenge("wrongCredentials")
        # Also for a user that there is not, or the time would tell who there is.
        expected = given.expected(ha1 or _NOBODY, request.method)
        right = hmac.compare_digest(
            expected.encode("ascii"), given.response.encode("utf-8", "surrogateescape")
        )
        if not right or ha1 is None or not _sameURI(given.uri, request.uri):
            return self.challenge("wrongCredentials")
        # Only now: "stale" tells the client that its password is right.
        age = self.nonces.age(given.nonce)
        if age is None or age > self.replays.lifetime:
            return self.challenge("staleNonce")
        # A copy of a request in a dialog may have been passed on to another
        # node, so that no transaction here knows it: the dialog's CSeq does.
        purpose = None if request.toTag is None else _purpose(request)
        issuer = self.nonces.madeBy(given.nonce)
        if issuer != self.nonces.issuer:
            return Elsewhere(given.user, issuer, given.nonce, given.count, purpose)
        if not self.replays.use(given.nonce, age, given.count, purpose):
            return self.challenge("replayedNonce")
        return Authenticated(given.user)

    def use(self, nonce: str, count: int, purpose: int | None) -> bool:
        """
        Count a use of a nonce of this node at another one.

        @return: whether it is a good one.
        """
        age = self.nonces.age(nonce)
        if age is None or age > self.replays.lifetime:
            return False
        if self.nonces.madeBy(nonce) != self.nonces.issuer:
            return False
        return self.replays.use(nonce, age, count, purpose)

    def _given(self, request: Request) -> Credentials | Why:
        why: Why = "noCredentials"
        for value in request.headers.getAll("Authorization"):
            try:
                found = parseCredentials(value)
            except BadHeader:
                why = "wrongCredentials"
                continue
            # Those for the realm of somebody behind us are none of ours.
            if found.realm == self.realm:
                return found
        return why

    def challenge(self, why: Why) -> Challenge:
        """
        @return: one with a new nonce of this node.
        """
        stale = why in ("staleNonce", "replayedNonce")
        nonce = self.nonces.make()
        # One header for each, the best first (RFC 8760 section 2.3).
        names = [name for name in ALGORITHMS if name in self.algorithms]
        values = [challenge(self.realm, nonce, name, stale) for name in names]
        return Challenge(why, tuple(("WWW-Authenticate", value) for value in values))


def _purpose(request: Request) -> int:
    """
    @return: the same at every node, for each copy of a request.
    """
    text = "\n".join(map(str, (request.method, *serverKey(request))))
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:7], "big")


def _sameURI(given: str, uri: str) -> bool:
    """
    @return: whether the credentials are for the request that they came with
        (RFC 7616 section 3.4.6).
    """
    if given == uri:
        return True
    try:
        one, other = parseURI(given), parseURI(uri)
    except BadURI:
        return False
    return isinstance(one, SipURI) and one.matches(other)
