"""
A node that is to stop gives its calls to the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from siprec.cluster.handover import Giver
from siprec.ids import NodeID
from siprec.recorder import Recorder
from siprec.session.model import NodeLease
from siprec.uas.call import Call

__all__ = ["DRAINING", "Drain", "Emptying", "takers"]

log = Logger()

#: Under which name a lease says that its node takes nothing any more.
DRAINING = "draining"

# Calls that are given at once.
_AT_ONCE = 20

# Seconds until what could not be given is tried again.
_AGAIN = 0.5

# What a drained node has had to take over stays for so many seconds, as its peer
# may be asking for it; and for so many it is tried to give it away.
_STAY, _TRY = 1.0, 5.0


def takers(leases: Iterable[NodeLease]) -> list[NodeLease]:
    """
    @return: those whose nodes take calls, as far as they have said.
    """
    return [each for each in leases if not each.data.get(DRAINING)]


def _none() -> bool:
    """
    No call is about to come here.
    """
    return False


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
    # Whether calls are about to come here: a dead node's, that nobody else takes.
    _coming: Callable[[], bool] = _none
    active: bool = field(default=False, init=False)
    _until: float = field(default=0.0, init=False)
    _waiting: list[Deferred[None]] = field(factory=list, init=False)
    _sent: Counter[NodeID] = field(factory=Counter, init=False)

    async def run(self, until: float) -> None:
        """
        Give away what there is until there is nothing left, nobody to take it,
        or a time of the clock has come.  One that is under way is waited for,
        and gets that time.
        """
        if self.active:
            self._until = max(self._until, until)
            ended: Deferred[None] = Deferred()
            self._waiting.append(ended)
            await ended
            return
        self.active, self._until = True, until
        self._sent.clear()
        try:
            await self._run()
        finally:
            self.active = False
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                each.callback(None)

    async def _run(self) -> None:
        while self._clock.seconds() < self._until:
            calls = list(self._recorder.calls.values())
            if not self._coming() and not (calls and self._targets()):
                return
            before = self._giver.given
            await self._round(calls)
            if self._giver.given == before:
                await deferLater(self._clock, _AGAIN)

    async def _round(self, calls: list[Call]) -> None:
        calls.reverse()  # taken from the end: those that began first go first

        async def work() -> None:
            while calls and self._clock.seconds() < self._until:
                await self._one(calls.pop())

        workers = [Deferred.fromCoroutine(work()) for _ in range(_AT_ONCE)]
        for success, result in await DeferredList(workers, consumeErrors=True):
            if not success:
                log.failure("a call was not given away", result)

    async def _one(self, call: Call) -> None:
        for target in self._targets():
            if call.over or self._clock.seconds() >= self._until:
                return
            # Those that are just on their way there count, too.
            self._sent[target.nodeID] += 1
            if await self._giver.give(call, target, self._until):
                return
            self._sent[target.nodeID] -= 1

    def _targets(self) -> list[NodeLease]:
        """
        @return: who may take a call, who has the fewest first.
        """
        return sorted(
            takers(self._living()),
            key=lambda each: (each.sessions + self._sent[each.nodeID], each.nodeID),
        )


@define(eq=False, repr=False)
class Emptying:
    """
    A node that has been drained, and then has had to take calls over that no other
    node could, does not keep them: they are given away as well or, where still
    nobody takes them, ended.
    """

    _drain: Drain
    _recorder: Recorder
    _clock: IReactorTime
    _later: IDelayedCall | None = field(default=None, init=False)

    def begin(self) -> None:
        """
        There is a call.  A drain that is under way sees it by itself.
        """
        if self._later is None and not self._drain.active:
            self._later = self._clock.callLater(_STAY, self._empty)

    def stop(self) -> None:
        """
        What is there now stays in the store for others.
        """
        if self._later is not None:
            self._later.cancel()
            self._later = None

    def _empty(self) -> None:
        self._later = None
        emptying = Deferred.fromCoroutine(self._drain.run(self._clock.seconds() + _TRY))
        emptying.addCallback(lambda _: self._recorder.stopCalls(503, "drained"))
        emptying.addErrback(lambda failure: log.failure("not drained again", failure))
