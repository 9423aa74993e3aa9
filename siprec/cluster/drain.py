"""
A node that is to stop gives its calls to the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from siprec.cluster.handover import Giver
from siprec.ids import NodeID
from siprec.recorder import Recorder
from siprec.session.model import NodeLease
from siprec.uas.call import Call

__all__ = ["DRAINING", "Drain"]

log = Logger()

#: Under which name a lease says that its node takes nothing any more.
DRAINING = "draining"

# Calls that are given at once.
_AT_ONCE = 20

# Seconds until what could not be given is tried again.
_AGAIN = 0.5


@define(eq=False, repr=False)
class Drain:
    """
    Gives away all calls, each to the node that has the fewest.

    @ivar active: whether it is under way.
    """

    _recorder: Recorder
    _giver: Giver
    _clock: IReactorTime
    # The other nodes that live.
    _living: Callable[[], Iterable[NodeLease]]
    active: bool = field(default=False, init=False)
    _sent: Counter[NodeID] = field(factory=Counter, init=False)

    async def run(self, until: float) -> None:
        """
        Give away what there is until there is nothing left, nobody to take it,
        or a time of the clock has come.
        """
        if self.active:
            return
        self.active = True
        self._sent.clear()
        try:
            while self._clock.seconds() < until and self._recorder.calls:
                if not self._targets():
                    return
                calls = list(self._recorder.calls.values())
                before = self._giver.given
                await self._round(calls, until)
                if self._giver.given == before:
                    await deferLater(self._clock, _AGAIN)
        finally:
            self.active = False

    async def _round(self, calls: list[Call], until: float) -> None:
        calls.reverse()  # taken from the end: those that began first go first

        async def work() -> None:
            while calls and self._clock.seconds() < until:
                await self._one(calls.pop())

        workers = [Deferred.fromCoroutine(work()) for _ in range(_AT_ONCE)]
        for success, result in await DeferredList(workers, consumeErrors=True):
            if not success:
                log.failure("a call was not given away", result)

    async def _one(self, call: Call) -> None:
        for target in self._targets():
            if await self._giver.give(call, target):
                self._sent[target.nodeID] += 1
                return
            if call.over:
                return

    def _targets(self) -> list[NodeLease]:
        """
        @return: who may take a call, who has the fewest first.
        """
        able = [each for each in self._living() if not each.data.get(DRAINING)]
        return sorted(able, key=lambda each: (each.sessions + self._sent[each.nodeID], each.nodeID))
