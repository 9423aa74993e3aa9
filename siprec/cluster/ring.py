"""
Which nodes watch which: the ring of NodeIDs.
"""

from __future__ import annotations

from collections.abc import Iterable

from siprec.ids import NodeID

__all__ = ["neighbours"]


def neighbours(node: NodeID, others: Iterable[NodeID], count: int = 2) -> list[NodeID]:
    """
    A node keeps connections to those that follow it when all are sorted, the
    first behind the last.  So each node is watched by as many, however large
    the cluster is, and two may die at once without a third going unseen.

    @param others: the nodes that live; C{node} itself does not count.
    @return: the nearest first; fewer than C{count} where there are fewer.
    """
    ring = sorted(each for each in set(others) if each != node)
    behind = [each for each in ring if each > node]
    return [*behind, *ring[: len(ring) - len(behind)]][:count]
