"""
How survivors share the calls of a node that is dead.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["share"]


def share(own: int, others: Iterable[int], orphans: int) -> int:
    """
    How many of a dead node's calls this node should take, so that in the end
    all survivors have about the same.  Each works that out for itself from the
    loads in the leases; who is wrong by a few takes a few more or less, and
    what everybody leaves is taken at last by who asks again.

    @param own: the calls of this node.
    @param others: those of each other survivor.
    @param orphans: the calls of the dead node.
    @return: from 0 to C{orphans}.
    """
    loads = sorted([own, *others])
    # Fill up the least loaded ones to one level, as water would.
    level, left = loads[0], orphans
    for count, load in enumerate(loads[1:], 1):
        step = (load - level) * count
        if step >= left:
            return _upTo(own, level, left, count, orphans)
        left -= step
        level = load
    return _upTo(own, level, left, len(loads), orphans)


def _upTo(own: int, level: int, left: int, count: int, orphans: int) -> int:
    """
    @param left: what is still to be shared among C{count} nodes at C{level}.
    """
    if own > level:
        return 0
    # Rounded up: two that both leave the last one would wait for each other.
    return min(level - own + -(-left // count), orphans)
