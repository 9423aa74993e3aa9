"""
What is known of each other node.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum

from attrs import define, frozen

from siprec.ids import NodeID
from siprec.session.model import NodeLease

__all__ = ["Listeners", "Member", "Standing"]


# Seconds between two looks at a lease that may run out at any moment, and how
# near in time is now.
_STEP, _SOON = 0.1, 0.001


class Standing(Enum):
    """
    What is thought of another node.
    """

    ALIVE = "alive"
    #: Its connection broke; it is being looked at.
    SUSPECTED = "suspected"
    #: It lives, but has lost the store: its calls are its own.
    ISOLATED = "isolated"
    DEAD = "dead"


# In these a lease is to be expected.
_LEASED = (Standing.ALIVE, Standing.SUSPECTED)


@define(eq=False)
class Member:
    """
    Another node, in one life of its process.  All times are on this node's
    clock.

    @ivar lease: as it was seen last.
    @ivar since: when C{standing} became what it is.
    @ivar certain: whether its process is known to have ended, rather than to be
        silent.
    @ivar renewals: how often it has renewed its lease since then, as far as was
        seen.
    @ivar renewedAfter: the last renewal was not before that,
    @ivar renewedBefore: and not after that.
    @ivar until: how long a connection that broke is a reason to look at it.
    @ivar asked: when it was last seen whether it answers.
    @ivar answered: when it did.
    """

    lease: NodeLease
    standing: Standing
    since: float
    certain: bool = False
    renewals: int = 0
    renewedAfter: float = -math.inf
    renewedBefore: float = -math.inf
    until: float = -math.inf
    asked: float = -math.inf
    answered: float = -math.inf

    def become(self, standing: Standing, now: float, certain: bool = False) -> None:
        """
        Something else is thought of it.
        """
        self.standing, self.since, self.certain = standing, now, certain
        self.renewals = 0

    def seen(self, lease: NodeLease, after: float, before: float) -> None:
        """
        Its lease was found in the store.

        @param after: when the look before that began,
        @param before: and when this one ended.
        """
        # Not "later": the clock of a store that has taken over may be behind.
        if lease.expires != self.lease.expires:
            self.renewals += 1
            self.renewedAfter, self.renewedBefore = after, before
        self.lease = lease

    @property
    def hasProven(self) -> bool:
        """
        Whether its lease shows that it lives.  One renewal may have been on
        its way when the process ended.
        """
        doubted = self.certain or self.standing is Standing.SUSPECTED
        return self.renewals >= (2 if doubted else 1)

    def isDue(self, now: float, lease: float, patience: float) -> bool:
        """
        @param lease: how long a lease holds, in seconds.
        @param patience: how long it may take to answer, in seconds.
        @return: whether its lease may have run out by the time that it has
            answered.
        """
        due = self.renewedAfter + lease - patience
        return self.standing in _LEASED and now >= due - _SOON

    def nextTurn(self, now: float, lease: float, patience: float) -> float:
        """
        @return: when its lease is to be looked at next: in time to ask it, when
            the lease may run out, and from then on until it must have.
        """
        if self.standing not in _LEASED:
            return math.inf
        first = self.renewedAfter + lease
        for turn in (first - patience, first):
            if turn > now + _SOON:
                return turn
        return now + _STEP if now < self.renewedBefore + lease + _STEP else math.inf


@frozen
class Listeners:
    """
    Who is told what.  They may call back; what they raise is logged.

    @ivar joined: a process of this lease has turned up, or is back after it was
        taken for dead.
    @ivar suspected: a node's connection broke.
    @ivar died: a node is dead; C{Member.certain} says how sure that is.
    @ivar orphaned: there are calls of a node that is dead, or that has no lease
        and was never seen alive by this process.  That is told again when there
        are more or fewer, and now and then otherwise.
    """

    joined: Callable[[NodeLease], None]
    suspected: Callable[[NodeLease], None]
    died: Callable[[Member], None]
    orphaned: Callable[[NodeID], None]
