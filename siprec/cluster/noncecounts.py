"""
Nonces that another node has made: it is asked whether a use of one is good, so
that what was used at one node is good at no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred, fail

from siprec.cluster.errors import Refusal
from siprec.cluster.interfaces import IClusterLinks
from siprec.ids import NodeID
from siprec.session.model import NodeLease
from siprec.sip.auth import Elsewhere
from siprec.sip.nonces import issuerOf
from siprec.uas.asking import NobodyToAsk

__all__ = ["NONCE", "NonceCounts"]

#: The kind of message between nodes: may this nonce be used with that count?
NONCE = "sip.nonce"

# Seconds for the answer: the peer repeats its request meanwhile, and gets a new
# nonce otherwise.
_PATIENCE = 1.0


class BadNonceRequest(Refusal):
    """
    A node has sent what this one does not understand.
    """


@define(eq=False, repr=False)
class NonceCounts:
    """
    Asks other nodes, and answers them.
    """

    _links: IClusterLinks
    # The leases of the other nodes that live.
    _living: Callable[[], Mapping[NodeID, NodeLease]]
    # See L{siprec.sip.auth.Authenticator.use}.
    _use: Callable[[str, int, int | None], bool]

    def __attrs_post_init__(self) -> None:
        self._links.handle(NONCE, self._asked)

    def ask(self, found: Elsewhere) -> Deferred[bool]:
        """
        @return: see L{siprec.uas.asking.Asking.ask}.
        """
        for node, lease in self._living().items():
            if issuerOf(lease.instance) == found.issuer:
                body = [found.nonce, found.count, found.purpose]
                return self._links.request(node, NONCE, body, _PATIENCE)
        return fail(NobodyToAsk("the node that made it is not there"))

    def _asked(self, peer: Any, body: Any) -> bool:
        if not isinstance(body, list) or len(body) != 3:
            raise BadNonceRequest("not three values")
        nonce, count, purpose = body
        whole = isinstance(purpose, int) or purpose is None
        if not isinstance(nonce, str) or not isinstance(count, int) or not whole:
            raise BadNonceRequest("not a nonce, a count and a purpose")
        return self._use(nonce, count, purpose)
