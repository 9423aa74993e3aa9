"""
Which nodes there are, and which of them have died.

A node lives while its lease is in the store; the store's clock decides, so that
no two hosts' clocks are ever compared.  Two things make that faster and safer:

- Nodes hold connections to their neighbours.  One that breaks, and whose port
  then refuses, is that of a process that has ended: no lease has to run out.
- A node whose lease has run out is asked first whether it lives: it may be cut
  off from the store, and then its calls go on where they are.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from siprec.cluster.interfaces import IClusterLinks, Liveness
from siprec.cluster.ring import neighbours
from siprec.ids import NodeID
from siprec.session.model import NodeLease
from siprec.session.processes import isGone
from siprec.store.interfaces import ISessionStore, StoreError

__all__ = ["Member", "Membership", "Standing"]

log = Logger()

# Seconds between two looks at a port whose connection broke.
_AGAIN = 0.05

# So many looks at the leases go by between two looks at who owns calls.
_OWNERS = 5

# Seconds after which a dead node without calls is not worth remembering.
_FORGET = 3600.0

# So many processes that have said good-bye are remembered.
_REMEMBERED = 100


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


@define(eq=False)
class Member:
    """
    Another node.

    @ivar lease: as it was seen last.
    @ivar since: when C{standing} became what it is, by the clock.
    @ivar certain: whether its process is known to have ended, rather than to be
        silent.
    """

    lease: NodeLease
    standing: Standing
    since: float
    certain: bool = False


@frozen
class Listeners:
    """
    Who is told what; none may raise.

    @ivar joined: a process of this lease has turned up, or is back.
    @ivar suspected: a node's connection broke.
    @ivar died: a node is dead; C{Member.certain} says how sure that is.
    @ivar orphaned: there are calls of a node that has no lease, and that this
        process has never seen alive.
    """

    joined: Callable[[NodeLease], None]
    suspected: Callable[[NodeLease], None]
    died: Callable[[Member], None]
    orphaned: Callable[[NodeID], None]


@define(eq=False, repr=False, slots=False)
class Membership(Service):
    """
    Looks at the leases once per heartbeat, and at broken connections at once.

    @ivar members: the other nodes by NodeID, dead ones until they are back.
    """

    _store: ISessionStore
    _clock: IReactorTime
    _node: NodeID
    _listeners: Listeners
    # Of none where nodes do not connect to each other: then leases decide alone.
    _links: IClusterLinks | None = None
    # Seconds between two looks at the leases.
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
    members: dict[NodeID, Member] = field(factory=dict, init=False)
    _settled: float = field(default=0.0, init=False)
    _loop: LoopingCall | None = field(default=None, init=False)
    _ended: Deferred[LoopingCall] | None = field(default=None, init=False)
    _pauses: set[Deferred[None]] = field(factory=set, init=False)
    _looks: int = field(default=0, init=False)
    _gone: tuple[str, ...] = field(default=(), init=False)

    def startService(self) -> None:
        """
        See L{twisted.application.service.IService.startService}.
        """
        super().startService()
        self._settled = self._clock.seconds() + self._grace
        self._loop = LoopingCall(self._look)
        self._loop.clock = self._clock
        self._ended = self._loop.start(self._interval)

    def stopService(self) -> Deferred[None]:
        """
        @return: fires when the look that is under way has ended.
        """
        super().stopService()
        for each in list(self._pauses):
            each.cancel()
        loop, ended, self._loop, self._ended = self._loop, self._ended, None, None
        if loop is None or ended is None:
            return succeed(None)
        loop.stop()
        return ended.addCallback(lambda _: None)

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
            it has never seen is not until it has had the time to be seen.
        """
        member = self.members.get(node)
        if member is not None:
            return member.standing is Standing.DEAD
        return node != self._node and self._clock.seconds() >= self._settled

    def lookNow(self) -> Deferred[None]:
        """
        Look at the leases out of turn.

        @return: fires when that is done; it never fails.
        """
        return self._look()

    # What the connections tell.

    def left(self, node: NodeID, instance: str) -> None:
        """
        A process has said that it ends; its calls are others' already.
        """
        member = self.members.get(node)
        if member is not None and member.lease.instance == instance:
            del self.members[node]
            self._gone = (*self._gone[-_REMEMBERED:], instance)
            log.info("{node}: has left", node=node)
            self._watch()

    def broken(self, node: NodeID) -> None:
        """
        The connection to a node broke without our closing it.
        """
        member = self.members.get(node)
        if member is None or member.standing is not Standing.ALIVE or not self.running:
            return
        self._become(member, Standing.SUSPECTED)
        log.info("{node}: its connection broke", node=node)
        self._listeners.suspected(member.lease)
        Deferred.fromCoroutine(self._confirmed(member)).addErrback(
            lambda failure: log.failure("{node}: not looked at", failure, node=node)
        )

    async def _confirmed(self, member: Member) -> None:
        """
        See whether the process behind a broken connection has ended.
        """
        end = self._clock.seconds() + self._confirm
        while self._isSuspected(member):
            left = end - self._clock.seconds()
            liveness = await self._liveness(member.lease, max(left, _AGAIN))
            if not self._isSuspected(member):
                return
            if liveness is Liveness.ALIVE:
                self._become(member, Standing.ALIVE)
            elif liveness is Liveness.REFUSED:
                self._die(member, certain=True)
            elif self._clock.seconds() >= end:
                return  # its lease will tell
            else:
                await self._pause(_AGAIN)

    def _isSuspected(self, member: Member) -> bool:
        known = self.members.get(member.lease.nodeID)
        return self.running and known is member and member.standing is Standing.SUSPECTED

    async def _liveness(self, lease: NodeLease, timeout: float) -> Liveness:
        if self._isGone(lease):
            return Liveness.REFUSED
        if self._links is None:
            return Liveness.SILENT
        return await self._links.probe(lease, timeout)

    async def _pause(self, seconds: float) -> None:
        pause: Deferred[None] = deferLater(self._clock, seconds)
        self._pauses.add(pause)
        try:
            await pause
        finally:
            self._pauses.discard(pause)

    # What the store tells.

    def _look(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._lookOnce())

    async def _lookOnce(self) -> None:
        # Nothing may leave here: it would end the loop.
        try:
            leases = {each.nodeID: each for each in await self._store.nodes()}
            leases.pop(self._node, None)
            for lease in leases.values():
                self._seen(lease)
            absent = [each for name, each in self.members.items() if name not in leases]
            await DeferredList([Deferred.fromCoroutine(self._absent(each)) for each in absent])
            self._looks += 1
            if self._looks % _OWNERS == 1 and self._clock.seconds() >= self._settled:
                await self._lookForOrphans()
        except StoreError as error:
            # What a store says after an outage of leases that ran out in it is
            # no news of the nodes.
            self._settled = self._clock.seconds() + self._grace
            log.debug("leases not seen: {why}", why=str(error))
        except Exception:
            log.failure("leases not seen")

    def _seen(self, lease: NodeLease) -> None:
        if lease.instance in self._gone:
            return  # it is about to give its lease back
        member = self.members.get(lease.nodeID)
        if member is None or member.lease.instance != lease.instance:
            self.members[lease.nodeID] = Member(lease, Standing.ALIVE, self._clock.seconds())
            log.info("{node}: joined, on {host}", node=lease.nodeID, host=lease.host)
            self._listeners.joined(lease)
            self._watch()
            return
        renewed = lease.expires > member.lease.expires
        member.lease = lease
        if member.standing is Standing.DEAD:
            if renewed and not member.certain:
                self._become(member, Standing.ALIVE)
                log.info("{node}: is back", node=lease.nodeID)
                self._listeners.joined(lease)
                self._watch()
        elif self._isGone(lease):
            self._die(member, certain=True)
        elif renewed and member.standing is not Standing.ALIVE:
            self._become(member, Standing.ALIVE)

    async def _absent(self, member: Member) -> None:
        """
        A node that was there has no lease any more.
        """
        if member.standing is Standing.DEAD:
            self._forget(member)
            return
        liveness = await self._liveness(member.lease, self._patience)
        known = self.members.get(member.lease.nodeID)
        if known is not member or member.standing is Standing.DEAD or not self.running:
            return
        if liveness is Liveness.REFUSED:
            self._die(member, certain=True)
        elif liveness in (Liveness.ALIVE, Liveness.OTHER):
            if member.standing is not Standing.ISOLATED:
                log.warn(
                    "{node}: has no lease, but lives: its calls are its own",
                    node=member.lease.nodeID,
                )
                self._become(member, Standing.ISOLATED)
        elif self._clock.seconds() >= self._settled:
            self._die(member, certain=False)

    async def _lookForOrphans(self) -> None:
        for owner in await self._store.owners():
            if owner != self._node and owner not in self.living:
                self._listeners.orphaned(owner)

    def _become(self, member: Member, standing: Standing) -> None:
        member.standing, member.since = standing, self._clock.seconds()

    def _die(self, member: Member, certain: bool) -> None:
        self._become(member, Standing.DEAD)
        member.certain = certain
        log.warn(
            "{node}: is dead, process {pid} on {host} {how}",
            node=member.lease.nodeID,
            pid=member.lease.pid,
            host=member.lease.host,
            how="has ended" if certain else "is silent",
        )
        self._watch()
        self._listeners.died(member)

    def _forget(self, member: Member) -> None:
        if self._clock.seconds() - member.since > _FORGET:
            del self.members[member.lease.nodeID]

    def _watch(self) -> None:
        if self._links is not None:
            self._links.keep(neighbours(self._node, self.living))
