"""
What happens to a cluster, and when: the same seed, the same disasters.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from attrs import frozen

__all__ = ["KINDS", "Disaster", "Hit", "makePlan"]

#: Kinds of disasters, each with how often it is chosen among so many.
KINDS = {"kill": 6, "freeze": 5, "redis": 3, "drain": 4, "pair": 2}

# Shortest and longest time in seconds that each lasts.
_LASTS = {
    "kill": (0.0, 5.0),
    "freeze": (0.3, 9.0),
    "redis": (0.2, 9.0),
    "drain": (0.0, 2.0),
    "pair": (4.0, 8.0),
}

# Shortest and longest time in seconds between the end of one and the next one.
_QUIET = (2.0, 8.0)

# Seconds after which an ended process is missed, and a silent one: its lease.
_MISSED, _LEASE = 1.5, 3.0

# Seconds of media that may be in the buffers of a process that is killed.
_BUFFERED = 0.5

# Seconds between the end of a call and the time when what came last is written.
_LAST_PACKETS = 2.0


@frozen
class Disaster:
    """
    One of them.

    @ivar kind: C{kill}: a process is killed, and started again after a while;
        C{freeze}: it gets no turn for a while; C{redis}: the store is killed, and
        started again, empty; C{drain}: a process is told to end, and started
        again; C{pair}: a process is killed while another one is frozen.
    @ivar nodes: whom it hits; none: the store.
    @ivar lasts: seconds until it is mended.
    @ivar quiet: seconds that pass after that, and after all nodes are there.
    """

    kind: str
    nodes: tuple[str, ...]
    lasts: float
    quiet: float

    def __str__(self) -> str:
        whom = "+".join(self.nodes) or "store"
        return f"{self.kind} {whom} {self.lasts:.1f} s, then {self.quiet:.1f} s"


@frozen
class Hit:
    """
    When a disaster hit a node.

    @ivar node: whom.
    @ivar begin: the clock's seconds.
    @ivar end: when it was mended.
    """

    kind: str
    node: str
    begin: float
    end: float

    def excuses(self, time: float) -> bool:
        """
        @return: whether a packet that was sent to this node then may be missing.
        """
        last = min(self.end, self.begin + _LEASE) if self.kind == "freeze" else self.begin
        return self.begin - _BUFFERED <= time <= last + _MISSED

    def interrupts(self, end: float) -> bool:
        """
        @param end: when a call of this node had ended.
        @return: whether the node may have died with the last packets of the call, or
            others had to think so, and call the recording C{incomplete}.
        """
        if self.kind == "freeze" and self.end < self.begin + _LEASE - 1:
            return False  # it goes on before its lease can be over
        return end - 0.5 <= self.begin <= end + _LAST_PACKETS


def makePlan(seed: int, nodes: Sequence[str], count: int) -> tuple[str, list[Disaster]]:
    """
    @param nodes: their names, three or more.
    @param count: of disasters.
    @return: the node that is never killed, so that it can be seen whether a process
        grows; and the disasters, in order.
    """
    chance = Random(seed)
    spared = chance.choice(nodes)
    others = [each for each in nodes if each != spared]
    plan = []
    for _ in range(count):
        [kind] = chance.choices(list(KINDS), list(KINDS.values()))
        lasts, quiet = chance.uniform(*_LASTS[kind]), chance.uniform(*_QUIET)
        hit: tuple[str, ...] = ()
        if kind == "pair":
            first, second = chance.sample(others, 2)
            hit = (first, second)
        elif kind == "freeze":
            hit = (chance.choice(nodes),)
        elif kind != "redis":
            hit = (chance.choice(others),)
        plan.append(Disaster(kind, hit, lasts, quiet))
    return spared, plan
