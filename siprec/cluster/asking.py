"""
Where a dialog is, when the store cannot tell: every node is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList

from siprec.cluster.interfaces import IClusterLinks
from siprec.ids import NodeID

__all__ = ["Asking"]

# Seconds for an answer: the other nodes have answered long before, and the peer
# waits for what the slowest one says.
_PATIENCE = 1.0

# How many requests may be asked about at once: each is as many messages as there
# are other nodes, and anybody can invent requests.
_MOST = 100


@define(eq=False, repr=False)
class Asking:
    """
    Offers a request to all the other nodes.  At most one of them has its dialog.

    @ivar underWay: how many requests are asked about.
    """

    _links: IClusterLinks
    # Gives the other nodes, as far as they live.
    _others: Callable[[], Collection[NodeID]]
    underWay: int = field(default=0, init=False)

    async def find(self, kind: str, body: Any) -> NodeID | None:
        """
        @param kind: of the message that offers the request.
        @param body: its body.
        @return: the node that has taken the request; C{None} if no node has it, as
            far as they answer within a second, or if too many are asked about.
        """
        nodes = list(self._others())
        if self.underWay >= _MOST:
            return None
        self.underWay += 1
        try:
            asked = [self._links.request(each, kind, body, timeout=_PATIENCE) for each in nodes]
            # What is not reached, or refuses, does not have it.
            answers = await _all(asked)
        finally:
            self.underWay -= 1
        takers = (node for node, answer in zip(nodes, answers, strict=True) if answer is True)
        return next(takers, None)


async def _all(asked: list[Deferred[Any]]) -> list[Any]:
    """
    @return: the results; C{None} for each that has failed.
    """
    found = await DeferredList(asked, consumeErrors=True)
    return [result if good else None for good, result in found]
