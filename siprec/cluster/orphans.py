"""
When it is worth telling that there are calls without a node.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field

from siprec.ids import NodeID

__all__ = ["Orphans"]

# Seconds until the same is told again, the first time and at most.
_FIRST, _LONGEST = 10.0, 600.0


@define
class _Told:
    count: int
    next: float
    pause: float = _FIRST


@define(eq=False, repr=False)
class Orphans:
    """
    Remembers what was told.  Records that nobody can read stay as they are for
    hours; so what does not change is told more and more seldom.
    """

    _told: dict[NodeID, _Told] = field(factory=dict, init=False)

    def news(self, counts: Mapping[NodeID, int], now: float) -> list[NodeID]:
        """
        @param counts: how many calls each node has that does not live.
        @param now: in seconds.
        @return: the nodes to tell of.
        """
        for gone in self._told.keys() - counts.keys():
            del self._told[gone]
        return [node for node, count in counts.items() if self._isNews(node, count, now)]

    def _isNews(self, node: NodeID, count: int, now: float) -> bool:
        told = self._told.get(node)
        if told is None or told.count != count:
            self._told[node] = _Told(count, now + _FIRST)
            return True
        if now < told.next:
            return False
        told.pause = min(2 * told.pause, _LONGEST)
        told.next = now + told.pause
        return True
