"""
The sign of life of this node: its lease in the store.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from siprec.rounds import Rounds
from siprec.session.model import NodeLease
from siprec.session.processes import isGone
from siprec.store.interfaces import ISessionStore, LeaseHeld, StoreUnavailable

__all__ = ["HeartbeatService"]

log = Logger()

# A lease outlives this many beats: two may be lost.
_BEATS = 3


def _nothing() -> None:
    """
    Nobody wants to know.
    """


@define(eq=False, repr=False, slots=False)
class HeartbeatService(Service):
    """
    Takes this node's lease and renews it while it runs, in one call to the
    store for each beat, and never two at once.

    @ivar lastBeat: when the last beat that the store took was sent, by the
        clock, or C{None}.  From then on the lease holds for three intervals.
    """

    _store: ISessionStore
    _clock: IReactorTime
    # Makes the lease of each beat, as it says how many sessions there are.
    _lease: Callable[[], NodeLease]
    # Seconds between two beats.
    _interval: float = 1.0
    # Called with who has the lease, once for each process that turns up.
    _onLost: Callable[[NodeLease], None] = field(kw_only=True)
    # Whether the process of a lease is known to be dead, so that nobody has to
    # wait until it expires.
    _isGone: Callable[[NodeLease], bool] = field(default=isGone, kw_only=True)
    # Called when a beat is made after others were missed: a store that was away
    # may have lost what it had.
    _onBack: Callable[[], None] = field(default=_nothing, kw_only=True)
    # Called when a beat shows that the lease was over meanwhile: others may have
    # taken this node for dead.
    _onLapsed: Callable[[], None] = field(default=_nothing, kw_only=True)
    lastBeat: float | None = field(default=None, init=False)
    _turn: DeferredLock = field(factory=DeferredLock, init=False)
    _rounds: Rounds = field(init=False)
    _sent: NodeLease | None = field(default=None, init=False)
    _lostTo: str | None = field(default=None, init=False)
    _missing: type[Exception] | None = field(default=None, init=False)

    def acquire(self) -> Deferred[None]:
        """
        Take the lease, before the node starts.

        @return: fires with C{None} when this node has it, or when that cannot
            be known: without a store a node works all the same, and the beats
            will try again.  Fails with L{LeaseHeld} when another process lives
            under the same NodeID.
        """
        return self._turn.run(lambda: Deferred.fromCoroutine(self._acquire()))

    @_rounds.default
    def _makeRounds(self) -> Rounds:
        return Rounds(self._clock, self._interval, self._beat, "no beat")

    def startService(self) -> None:
        """
        See L{twisted.application.service.IService.startService}.
        """
        super().startService()
        self._rounds.start()

    def stopService(self) -> Deferred[None]:
        """
        @return: fires when the beat that is under way has ended and the lease
            is given up, as far as the store answers.
        """
        super().stopService()
        ended = self._rounds.stop()
        return ended.addCallback(
            lambda _: self._turn.run(lambda: Deferred.fromCoroutine(self._release()))
        )

    def beatNow(self) -> None:
        """
        Beat out of turn, as the lease says something new.
        """
        if self._rounds.running:
            self._beat()

    def _beat(self) -> Deferred[None]:
        return self._turn.run(lambda: Deferred.fromCoroutine(self._renew()))

    async def _acquire(self) -> None:
        try:
            await self._take()
        except LeaseHeld:
            raise
        except Exception as error:
            self._missed(error)

    async def _renew(self) -> None:
        # Nothing may leave here: it would end the loop.
        try:
            await self._take()
        except LeaseHeld as error:
            self._lost(error.holder)
        except Exception as error:
            self._missed(error)

    async def _take(self) -> None:
        try:
            await self._send()
        except LeaseHeld as error:
            holder = error.holder
            if not self._isGone(holder):
                raise
            # Of two processes that see this, one finds the other's lease next.
            log.info("the lease of process {pid}, which is gone, is ended", pid=holder.pid)
            await self._store.release(holder.nodeID, holder.instance)
            await self._send()

    async def _send(self) -> None:
        lease = self._lease()
        # It is ours to give up even if no answer comes, but not if another has it.
        self._sent = lease
        sent = self._clock.seconds()
        try:
            renewed = await self._store.heartbeat(lease, _BEATS * self._interval)
        except LeaseHeld:
            self._sent = None
            raise
        lapsed = self.lastBeat is not None and not renewed
        self.lastBeat = sent
        self._lostTo = None
        if lapsed:
            log.warn("{node}: the lease had run out, or others ended it", node=lease.nodeID)
            self._tell(self._onLapsed)
        if self._missing is not None:
            self._missing = None
            log.info("{node}: the heartbeat is back", node=lease.nodeID)
            self._tell(self._onBack)

    def _tell(self, whom: Callable[[], None]) -> None:
        try:
            whom()
        except Exception:
            log.failure("what is to be done after a beat was not")

    def _lost(self, holder: NodeLease) -> None:
        if holder.instance == self._lostTo:
            return
        self._lostTo = holder.instance
        log.critical(
            "{node}: the lease is held by process {pid} on {host}",
            node=holder.nodeID,
            pid=holder.pid,
            host=holder.host,
        )
        try:
            self._onLost(holder)
        except Exception:
            log.failure("{node}: the loss of the lease was not handled", node=holder.nodeID)

    def _missed(self, error: Exception) -> None:
        """
        A beat was not made, and this error is being handled.  One log entry
        for each time without beats, not for each beat.
        """
        if type(error) is self._missing:
            return
        self._missing = type(error)
        if isinstance(error, StoreUnavailable):
            log.warn("no heartbeat: {reason}; it is tried again", reason=str(error))
        else:
            log.failure("no heartbeat; it is tried again")

    async def _release(self) -> None:
        lease, self._sent = self._sent, None
        if lease is None:
            return
        try:
            await self._store.release(lease.nodeID, lease.instance)
        except StoreUnavailable as error:
            log.warn(
                "{node}: the lease was not given up: {reason}; it expires",
                node=lease.nodeID,
                reason=str(error),
            )
        except Exception:
            log.failure("{node}: the lease was not given up; it expires", node=lease.nodeID)
