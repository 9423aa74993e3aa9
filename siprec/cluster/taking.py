"""
Calls that a living node gives, seen from the one that takes them.

Whoever the store says owns a call is who has to have it.  So a call that cannot
be taken after all is let go of and left to the giver, who claims it back; and if
nobody does that, it is taken up here like the call of a node that has died.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from siprec.cluster.continuing import Continuation
from siprec.cluster.errors import Refusal
from siprec.cluster.interfaces import IClusterLinks
from siprec.cluster.underway import UnderWay
from siprec.ids import NodeID
from siprec.recorder import Recorder
from siprec.session.model import SessionData
from siprec.session.recordings import Recordings
from siprec.store.adapter import SnapshotAdapter
from siprec.store.interfaces import ISessionStore, SessionNotFound, StoreError, StoreUnavailable
from siprec.uas.call import Call

__all__ = ["ENDED", "HAS", "TAKE", "NotTaken", "Taker"]

log = Logger()

#: Kinds of messages between nodes: take a call; do you have it; its former
#: segment is closed.
TAKE, HAS, ENDED = "handover.take", "handover.has", "handover.ended"

# The part of the giver's patience in which the peer has to agree: what is left
# is for the answer.
_PART = 0.8

# Seconds that a giver has to claim back what was not taken, and until a store
# that is away is asked again.
_FETCH, _AGAIN = 5.0, 1.0


class NotTaken(Refusal):
    """
    This node does not take the call.
    """


@define(eq=False, repr=False)
class Taker:
    """
    Takes calls that others give.

    @ivar taken: how many, since the start.
    @ivar underWay: those that are just being taken, by recording.
    """

    _node: NodeID
    _store: ISessionStore
    _adapter: SnapshotAdapter
    _links: IClusterLinks
    _continuation: Continuation
    _recordings: Recordings
    _recorder: Recorder
    _clock: IReactorTime
    # Whether this node takes calls at all.
    _ready: Callable[[], bool]
    # Takes up a call that is this node's, as of a node that has died.
    _takeUp: Callable[[SessionData], Deferred[None]]
    taken: int = field(default=0, init=False)
    underWay: UnderWay = field(factory=UnderWay, init=False)
    _pauses: set[Deferred[None]] = field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self._links.handle(TAKE, self._take)
        self._links.handle(HAS, self._has)
        self._links.handle(ENDED, self._ended)

    def stop(self) -> None:
        """
        Wait for no giver any more: when this node has ended, others claim what
        it has left.
        """
        for pause in list(self._pauses):
            pause.cancel()

    def beingTaken(self, key: str) -> Deferred[None] | None:
        """
        @return: fires when it is clear whether this node has taken that call;
            C{None} if nobody is giving it.
        """
        return self.underWay.whenClear(key)

    async def _take(self, peer: Any, body: Any) -> dict[str, Any]:
        """
        @param body: C{id} of the recording, its C{epoch}, whether its ports are
            C{shared} with this host, and C{within} how many seconds the giver
            wants to know.
        @return: whether the media has C{moved} to other ports.
        """
        if not self._ready():
            raise NotTaken("the node takes no calls now")
        key = str(body["id"])
        if key in self.underWay:
            raise NotTaken("it is just being taken")
        self.underWay.begin(key)
        try:
            moved = await self._taken(
                key, int(body["epoch"]), bool(body["shared"]), _PART * float(body["within"])
            )
        finally:
            self.underWay.end(key)
        self.taken += 1
        log.info("{recording}: taken from {node}", recording=key, node=peer.nodeID)
        return {"moved": moved}

    async def _taken(self, key: str, epoch: int, shared: bool, limit: float) -> bool:
        try:
            record = await self._store.claim(key, self._node, epoch)
        except StoreUnavailable as error:
            # The claim may have been made all the same.
            self._leaveTo(key, epoch + 1)
            raise NotTaken(str(error)) from error
        except StoreError as error:
            raise NotTaken(str(error)) from error
        self._adapter.learn(record)
        try:
            call = await self._goOn(record, shared)
            return await self._move(call, limit)
        except Exception as error:
            log.warn("{recording}: goes back: {why}", recording=key, why=str(error))
            await self._letGo(key)
            self._leaveTo(key, record.epoch)
            raise NotTaken(str(error)) from error

    async def _goOn(self, record: SessionData, shared: bool) -> Call:
        if record.snapshot is None or record.snapshot.recording.state != "recording":
            raise NotTaken("there is no call to go on with")
        before = record.snapshot.recording.segments[-1].node
        snapshot = self._continuation.moved(record.snapshot)
        plan = self._continuation.mediaPlan(snapshot, lambda host: shared, shared)
        live = await self._recordings.resume(snapshot, record.epoch, plan)
        try:
            call = await self._recorder.resume(snapshot, live)
        except Exception:
            await self._recordings.undo(live)
            raise
        live.event("handedOver", node=self._node, before=before, epoch=record.epoch)
        return call

    async def _move(self, call: Call, limit: float) -> bool:
        """
        @param limit: seconds that the peer has to agree.
        @return: whether the peer was told of other ports.
        @raise NotTaken: it does not take that.
        """
        assert call.live is not None, "what is taken up has a recording"
        moved = bool(call.live.moved)
        status = await call.tryToMove().addTimeout(limit, self._clock)
        if 200 <= status < 300 or (call.over and not call.fenced):
            return moved  # even if the peer has hung up meanwhile
        raise NotTaken(f"the peer answers {status} to the re-INVITE")

    async def _letGo(self, key: str) -> None:
        call = self._recorder.callOf(key)
        if call is not None and call.live is not None:
            call.fence()
            # The giver may give it once more as soon as it knows.
            await self._recordings.undo(call.live)
        self._adapter.forget(key)

    def _leaveTo(self, key: str, epoch: int) -> None:
        """
        A call that is this node's as far as the store knows is the giver's to
        claim back.
        """
        waiting = Deferred.fromCoroutine(self._afterwards(key, epoch))
        waiting.addErrback(
            lambda failure: log.failure("{recording}: nobody has it", failure, recording=key)
        )

    async def _afterwards(self, key: str, epoch: int) -> None:
        seconds = _FETCH
        while await self._pause(seconds):
            try:
                record = await self._store.get(key)
            except SessionNotFound:
                return
            except StoreUnavailable:
                seconds = _AGAIN
                continue
            if (record.nodeID, record.epoch) == (self._node, epoch):
                log.warn("{recording}: the giver has not come for it", recording=key)
                await self._takeUp(record)
            return

    async def _pause(self, seconds: float) -> bool:
        """
        @return: whether this node still waits then.
        """
        pause: Deferred[None] = deferLater(self._clock, seconds)
        self._pauses.add(pause)
        try:
            await pause
        except CancelledError:
            return False
        finally:
            self._pauses.discard(pause)
        return True

    async def _has(self, peer: Any, body: Any) -> bool:
        """
        @param body: C{id} of the recording.
        @return: whether this node has that call, or is finishing it; where it
            is just being taken, once that is clear.
        """
        key = str(body["id"])
        taking = self.beingTaken(key)
        if taking is not None:
            await taking
        return key in self._recordings.recordings

    def _ended(self, peer: Any, body: Any) -> None:
        call = self._recorder.callOf(str(body["id"]))
        if call is not None and call.live is not None:
            files = tuple(str(each) for each in body["files"])
            call.live.segmentEnded(int(body["number"]), float(body["end"]), files)
            call.saveSoon()
