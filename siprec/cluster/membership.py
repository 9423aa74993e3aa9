"""
Which nodes there are, and which of them have died.

A node lives while its lease is in the store; the store's clock decides, so that
no two hosts' clocks are ever compared.  Three things make that faster and safer:

- Nodes hold connections to their neighbours.  One that breaks, and whose port
  then refuses, is that of a process that has ended: no lease has to run out.
- A lease is known to have been renewed between two looks at the store, on this
  node's own clock; so it is looked again just when it may run out.
- A node whose lease runs out is asked first whether it lives: it may be cut off
  from the store, and then its calls go on where they are.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, DeferredLock, gatherResults
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from siprec.cluster.inquiry import Inquiry
from siprec.cluster.interfaces import IClusterLinks
from siprec.cluster.members import Listeners, Member, Standing
from siprec.cluster.orphans import Orphans
from siprec.cluster.pauses import Pauses
from siprec.cluster.ring import neighbours
from siprec.ids import NodeID
from siprec.rounds import Rounds
from siprec.session.model import NodeLease
from siprec.session.processes import isGone
from siprec.store.interfaces import ISessionStore, StoreError

__all__ = ["Listeners", "Member", "Membership", "Standing"]

log = Logger()

_Told = TypeVar("_Told")

# So many intervals lie between two looks at who owns calls.
_OWNERS = 5

# A lease outlives this many intervals.
_BEATS = 3

# Seconds after which a dead node is not worth remembering.
_FORGET = 3600.0

# So many processes that have said good-bye are remembered.
_REMEMBERED = 100


@define(eq=False, repr=False, slots=False)
class Membership(Service):
    """
    Looks at the leases once per heartbeat, when one may run out, and at broken
    connections at once.

    @ivar members: the other nodes by NodeID, dead ones until they are back.
    """

    _store: ISessionStore
    _clock: IReactorTime
    _node: NodeID
    _listeners: Listeners
    # Of none where nodes do not connect to each other: then leases decide alone.
    _links: IClusterLinks | None = None
    # Seconds between two looks at the leases, which is that between two heartbeats.
    _interval: float = 1.0
    # For how long, in seconds, a node whose connection broke is looked at before
    # only its lease can tell.
    _confirm: float = 0.3
    # How long, in seconds, a node may take to say that it lives.
    _patience: float = 0.5
    # Seconds after the start, or after the store was away, in which nobody is
    # dead for want of a lease: the others renew theirs in that time.
    _grace: float = 6.0
    _isGone: Callable[[NodeLease], bool] = isGone
    # Seconds for which a lease holds.
    _lease: float = field()
    members: dict[NodeID, Member] = field(factory=dict, init=False)
    _settled: float = field(default=0.0, init=False)
    _rounds: Rounds = field(init=False)
    _planned: IDelayedCall | None = field(default=None, init=False)
    _turn: DeferredLock = field(factory=DeferredLock, init=False)
    _inquiry: Inquiry = field(init=False)
    # When the last look that had an answer began, and the next one at owners is due.
    _lastLook: float = field(default=-math.inf, init=False)
    _nextOwners: float = field(default=-math.inf, init=False)
    _orphans: Orphans = field(factory=Orphans, init=False)
    _gone: deque[str] = field(factory=lambda: deque(maxlen=_REMEMBERED), init=False)

    @_lease.default
    def _threeBeats(self) -> float:
        return _BEATS * self._interval

    @_inquiry.default
    def _makeInquiry(self) -> Inquiry:
        return Inquiry(
            self._clock,
            Pauses(self._clock, lambda: bool(self.running)),
            self._links,
            self._isGone,
            self._confirm,
            self._patience,
            self._isOpen,
            lambda member: self._die(member, certain=True),
        )

    @_rounds.default
    def _makeRounds(self) -> Rounds:
        return Rounds(self._clock, self._interval, self._look, "leases not seen")

    def startService(self) -> None:
        """
        See L{twisted.application.service.IService.startService}.
        """
        super().startService()
        self._settled = self._clock.seconds() + self._grace
        self._rounds.start()

    def stopService(self) -> Deferred[None]:
        """
        @return: fires when the looks that are under way have ended.
        """
        super().stopService()
        self._cancelPlan()
        ends = [self._rounds.stop(), *self._inquiry.stop(), self._turn.run(lambda: None)]
        return DeferredList(ends).addCallback(lambda _: None)

    @property
    def living(self) -> dict[NodeID, NodeLease]:
        """
        The other nodes that are not dead.
        """
        return {
            name: each.lease
            for name, each in self.members.items()
            if each.standing is not Standing.DEAD
        }

    def leaseOf(self, node: NodeID) -> NodeLease | None:
        """
        @return: the last lease that was seen of a node, or C{None}.
        """
        member = self.members.get(node)
        return None if member is None else member.lease

    def isDead(self, node: NodeID) -> bool:
        """
        @return: whether a node is dead, as far as this one can tell; one that
            it has never seen is not until it has had the time to be seen.  It
            may have come back since the last look.
        """
        member = self.members.get(node)
        if member is not None:
            return member.standing is Standing.DEAD
        settled = bool(self.running) and self._clock.seconds() >= self._settled
        return settled and node != self._node

    def lookNow(self) -> Deferred[None]:
        """
        Look at the leases out of turn.

        @return: fires when a look that begins now, or after the one that is
            under way, has ended; it never fails.
        """
        return self._look()

    # What the connections tell.

    def left(self, node: NodeID, instance: str) -> None:
        """
        A process has said that it ends; its calls are others' already.
        """
        if instance not in self._gone:
            self._gone.append(instance)
        member = self.members.get(node)
        if member is not None and member.lease.instance == instance:
            del self.members[node]
            log.info("{node}: has left", node=node)
            self._watch()

    def broken(self, node: NodeID) -> None:
        """
        The connection to a node broke without our closing it.
        """
        member = self.members.get(node)
        if member is None or member.standing is Standing.DEAD or not self.running:
            return
        if member.standing is Standing.ALIVE:
            member.become(Standing.SUSPECTED, self._clock.seconds())
        self._inquiry.confirm(member, lambda: self._suspected(member))

    def _suspected(self, member: Member) -> None:
        log.info("{node}: its connection broke", node=member.lease.nodeID)
        self._tell(self._listeners.suspected, member.lease)

    def _isOpen(self, member: Member) -> bool:
        """
        @return: whether it is still a question if that node lives.
        """
        known = self.running and self.members.get(member.lease.nodeID)
        return known is member and member.standing is not Standing.DEAD

    # What the store tells.

    def _look(self) -> Deferred[None]:
        # One after the other: what an older answer says must not come later.
        return self._turn.run(lambda: Deferred.fromCoroutine(self._lookOnce()))

    async def _lookOnce(self) -> None:
        # Nothing may leave here: it would end the loop.
        try:
            if self.running:
                self._settleAfterPause()
                # Calls are counted first: a node has its lease before its calls.
                counts = await self._counted()
                asked = self._clock.seconds()
                leases = {each.nodeID: each for each in await self._store.nodes()}
                leases.pop(self._node, None)
                await self._compare(leases, asked)
                self._tellOfOrphans(counts, leases)
                self._plan(leases)
        except StoreError as error:
            # What a store says after an outage of leases that ran out in it is
            # no news of the nodes.
            self._settled = self._clock.seconds() + self._grace
            log.debug("leases not seen: {why}", why=str(error))
        except Exception:
            log.failure("leases not seen")

    def _settleAfterPause(self) -> None:
        # What stopped this process may have stopped the store and the others.
        now = self._clock.seconds()
        if -math.inf < self._lastLook < now - self._lease:
            self._settled = max(self._settled, now + self._grace)

    async def _compare(self, leases: Mapping[NodeID, NodeLease], asked: float) -> None:
        now = self._clock.seconds()
        # After a long time without a look nothing is known of when it was.
        after = self._lastLook if self._lastLook > now - 2 * self._interval else now
        self._lastLook = asked
        for lease in leases.values():
            if self.running:
                self._seen(lease, after, now)
        if now - asked > self._interval:
            # What kept the answer may have kept the others from renewing theirs.
            self._settled = max(self._settled, now + self._interval)
        absent = []
        for name, member in list(self.members.items()):
            if not self.running:
                break
            if name not in leases:
                absent.append(Deferred.fromCoroutine(self._absent(member)))
            elif member.isDue(now, self._lease, self._patience) and self._isStale(member):
                self._inquiry.ask(member)
        await gatherResults(absent, consumeErrors=True)

    def _seen(self, lease: NodeLease, after: float, before: float) -> None:
        if lease.instance in self._gone:
            return  # it is about to give its lease back
        now = self._clock.seconds()
        member = self.members.get(lease.nodeID)
        if member is None or member.lease.instance != lease.instance:
            member = Member(lease, Standing.ALIVE, now, False, 0, after, before)
            self.members[lease.nodeID] = member
            if self._isGone(lease):
                self._die(member, certain=True)
            else:
                log.info("{node}: joined, on {host}", node=lease.nodeID, host=lease.host)
                self._joined(member)
            return
        member.seen(lease, after, before)
        if member.standing is Standing.DEAD:
            if member.hasProven and not self._isGone(lease):
                member.become(Standing.ALIVE, now)
                log.info("{node}: is back", node=lease.nodeID)
                self._joined(member)
        elif self._isGone(lease):
            self._die(member, certain=True)
        elif member.standing is not Standing.ALIVE and member.hasProven:
            member.become(Standing.ALIVE, now)

    async def _absent(self, member: Member) -> None:
        """
        A node that was there has no lease any more.
        """
        if member.standing is Standing.DEAD:
            self._forget(member)
            return
        settled = self._clock.seconds() >= self._settled
        if member.standing is Standing.ISOLATED or self._isStale(member) or not settled:
            await self._inquiry.ask(member)
        if not self._isOpen(member):
            return
        now = self._clock.seconds()
        if member.answered >= member.asked:
            # Just after an outage it may not have renewed it yet.
            if member.standing is not Standing.ISOLATED and settled:
                log.warn(
                    "{node}: has no lease, but lives: its calls are its own",
                    node=member.lease.nodeID,
                )
                member.become(Standing.ISOLATED, now)
        elif settled and now - member.answered >= self._lease:
            # As without a store its answers are all that it has, they hold as long.
            self._die(member, certain=False)

    def _plan(self, leases: Collection[NodeID]) -> None:
        """
        Look again when a node that has not renewed its lease should be asked
        whether it lives, when its lease may run out, and then until it has.
        """
        self._cancelPlan()
        now = self._clock.seconds()
        turns = [
            member.nextTurn(now, self._lease, self._patience)
            for name, member in self.members.items()
            if name in leases
        ]
        turn = min(turns, default=math.inf)
        if turn < math.inf and self.running:
            self._planned = self._clock.callLater(turn - now, self._look)

    def _cancelPlan(self) -> None:
        if self._planned is not None and self._planned.active():
            self._planned.cancel()
        self._planned = None

    def _isStale(self, member: Member) -> bool:
        """
        @return: whether it has not been asked just now.
        """
        return self._clock.seconds() - member.asked > self._interval + self._patience

    async def _counted(self) -> Mapping[NodeID, int] | None:
        now = self._clock.seconds()
        if now < max(self._settled, self._nextOwners):
            return None
        counts = await self._store.owners()
        self._nextOwners = now + _OWNERS * self._interval
        return counts

    def _tellOfOrphans(
        self, counts: Mapping[NodeID, int] | None, leases: Collection[NodeID]
    ) -> None:
        if counts is None:
            return
        present = {self._node, *leases, *self.living}
        without = {owner: count for owner, count in counts.items() if owner not in present}
        for owner in self._orphans.news(without, self._clock.seconds()):
            if self.running:
                self._tell(self._listeners.orphaned, owner)

    # What comes of it.

    def _joined(self, member: Member) -> None:
        self._watch()
        self._tell(self._listeners.joined, member.lease)

    def _die(self, member: Member, certain: bool) -> None:
        member.become(Standing.DEAD, self._clock.seconds(), certain)
        log.warn(
            "{node}: is dead, process {pid} on {host} {how}",
            node=member.lease.nodeID,
            pid=member.lease.pid,
            host=member.lease.host,
            how="has ended" if certain else "is silent",
        )
        self._watch()
        self._tell(self._listeners.died, member)

    def _tell(self, whom: Callable[[_Told], None], what: _Told) -> None:
        try:
            whom(what)
        except Exception:
            log.failure("what happened to a node could not be told")

    def _forget(self, member: Member) -> None:
        name = member.lease.nodeID
        if self._clock.seconds() - member.since > _FORGET and self.members.get(name) is member:
            del self.members[name]

    def _watch(self) -> None:
        if self._links is not None:
            self._tell(self._links.keep, neighbours(self._node, self.living))
