"""
Finding out whether the process of a node lives, beside all else.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.cluster.interfaces import IClusterLinks, Liveness
from siprec.cluster.members import Member, Standing
from siprec.cluster.pauses import Pauses
from siprec.session.model import NodeLease

__all__ = ["Inquiry"]

log = Logger()

# Seconds between two looks at a port whose connection broke.
_AGAIN = 0.05

# Seconds by which the answer to a question about a node may be late without a
# sign that this process itself stood still meanwhile.
_LATE = 1.0

_Table = dict[Member, Deferred[None]]


@define(eq=False, repr=False)
class Inquiry:
    """
    Asks nodes for a sign of life, each once at a time.
    """

    _clock: IReactorTime
    _pauses: Pauses
    _links: IClusterLinks | None
    _isGone: Callable[[NodeLease], bool]
    # For how long a node whose connection broke is looked at, and how long one
    # may take to answer otherwise, in seconds.
    _confirm: float
    _patience: float
    # Whether it is still a question if a node lives.
    _isOpen: Callable[[Member], bool]
    # Called with a node whose process has ended.
    _ended: Callable[[Member], None]
    _confirms: _Table = field(factory=dict, init=False)
    _asks: _Table = field(factory=dict, init=False)

    def confirm(self, member: Member, begun: Callable[[], None]) -> None:
        """
        The connection to a node broke: see at once whether its process has
        ended, and again for some time.  Where that is under way, it goes on for
        longer.

        @param begun: called before anything is found out, if it is not.
        """
        member.until = self._clock.seconds() + self._confirm
        if member not in self._confirms:
            self._begin(self._confirms, member, self._confirmed(member, begun))

    def ask(self, member: Member) -> Deferred[None]:
        """
        @return: fires when C{Member.asked} and C{Member.answered} are of now.
        """
        asking = self._asks.get(member)
        return asking or self._begin(self._asks, member, self._asked(member))

    def stop(self) -> list[Deferred[None]]:
        """
        Cut short what is under way.

        @return: fires when that has ended, each.
        """
        self._pauses.end()
        return [*self._confirms.values(), *self._asks.values()]

    async def _confirmed(self, member: Member, begun: Callable[[], None]) -> None:
        begun()
        while self._isOpen(member):
            until = member.until
            left = until - self._clock.seconds()
            liveness = await self._liveness(member.lease, max(left, _AGAIN))
            now = self._clock.seconds()
            if not self._isOpen(member):
                return
            if liveness is Liveness.REFUSED:
                self._ended(member)
            elif member.until > until:
                continue  # it broke once more: what was found is of before
            elif liveness is Liveness.ALIVE:
                member.asked = member.answered = now
                if member.standing is Standing.SUSPECTED:
                    member.become(Standing.ALIVE, now)
                return
            elif now >= until:
                return  # its lease will tell
            else:
                await self._pauses.wait(_AGAIN)

    async def _asked(self, member: Member) -> None:
        liveness = await self._liveness(member.lease, self._patience)
        member.asked = self._clock.seconds()
        if liveness is Liveness.ALIVE:
            member.answered = member.asked
        elif liveness is Liveness.REFUSED and self._isOpen(member):
            self._ended(member)

    async def _liveness(self, lease: NodeLease, timeout: float) -> Liveness:
        if self._isGone(lease):
            return Liveness.REFUSED
        if self._links is None:
            return Liveness.SILENT
        asked = self._clock.seconds()
        liveness = await self._links.probe(lease, timeout)
        if liveness is Liveness.SILENT and self._clock.seconds() - asked > timeout + _LATE:
            # A process that stood still itself has heard nothing, whoever spoke.
            return await self._links.probe(lease, timeout)
        return liveness

    def _begin(
        self, table: _Table, member: Member, work: Coroutine[Deferred[Any], Any, None]
    ) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        table[member] = done

        def ended(_: None) -> None:
            del table[member]
            done.callback(None)

        Deferred.fromCoroutine(work).addErrback(self._failed, member).addCallback(ended)
        return done

    def _failed(self, failure: Failure, member: Member) -> None:
        log.failure("{node}: not looked at", failure, node=member.lease.nodeID)
