"""
Calls that go from a living node to another one, without a packet lost.

The giver asks; the taker claims the call, has its media come in, and answers;
only then does the giver stop, and not before its own sockets have been silent.
On one host the ports themselves go over, and the peer notices nothing; else the
taker moves the media by a re-INVITE.  If that is refused, the call goes back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from siprec.cluster.continuing import Continuation
from siprec.cluster.errors import LinkError, Refusal
from siprec.cluster.interfaces import IClusterLinks
from siprec.ids import NodeID, RecordingID
from siprec.recorder import Recorder
from siprec.session.live import LiveRecording
from siprec.session.model import NodeLease, SessionData
from siprec.session.processes import sharesNetwork
from siprec.session.recordings import Recordings
from siprec.store.adapter import SnapshotAdapter
from siprec.store.interfaces import ISessionStore, StoreError
from siprec.uas.call import Call

__all__ = ["ENDED", "TAKE", "Giver", "NotTaken", "Taker"]

log = Logger()

#: Kinds of messages between nodes: take a call; its former segment is closed.
TAKE, ENDED = "handover.take", "handover.ended"

# Longest time in seconds that taking a call may last: its re-INVITE may have to
# be tried again.
_PATIENCE = 45.0

# Seconds for which a change of the session that the peer asked for is awaited.
_BUSY, _LOOK = 3.0, 0.05

# How long the sockets of a call that has moved must be silent, and how long
# that is awaited at most, in seconds.
_QUIET, _LIMIT = 0.5, 10.0


class NotTaken(Refusal):
    """
    This node does not take the call.
    """


@define(eq=False, repr=False)
class Taker:
    """
    Takes calls that others give.
    """

    _node: NodeID
    _store: ISessionStore
    _adapter: SnapshotAdapter
    _links: IClusterLinks
    _continuation: Continuation
    _recordings: Recordings
    _recorder: Recorder
    # Whether this node takes calls at all.
    _ready: Callable[[], bool]
    taken: int = field(default=0, init=False)
    underWay: dict[str, list[Deferred[None]]] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._links.handle(TAKE, self._take)
        self._links.handle(ENDED, self._ended)

    def beingTaken(self, key: str) -> Deferred[None] | None:
        """
        @return: fires when that call is this node's, or goes back; C{None} if
            it is not being taken.
        """
        waiters = self.underWay.get(key)
        if waiters is None:
            return None
        done: Deferred[None] = Deferred()
        waiters.append(done)
        return done

    async def _take(self, peer: Any, body: Any) -> dict[str, Any]:
        """
        @param body: C{id} of the recording, its C{epoch}, and whether its ports
            are C{shared} with this host.
        @return: whether the media has C{moved} to other ports.
        """
        key = str(body["id"])
        if not self._ready() or key in self.underWay:
            raise NotTaken("the node takes no calls now")
        self.underWay[key] = []
        try:
            return await self._taken(peer, key, body)
        finally:
            for waiter in self.underWay.pop(key):
                waiter.callback(None)

    async def _taken(self, peer: Any, key: str, body: Any) -> dict[str, Any]:
        try:
            record = await self._store.claim(key, self._node, int(body["epoch"]))
        except StoreError as error:
            raise NotTaken(str(error)) from error
        self._adapter.learn(record)
        try:
            call = await self._goOn(record, bool(body["shared"]))
            moved = await self._move(call)
        except Exception as error:
            log.warn("{recording}: goes back: {why}", recording=key, why=str(error))
            await self._giveBack(record, peer.nodeID)
            raise NotTaken(str(error)) from error
        self.taken += 1
        log.info("{recording}: taken from {node}", recording=key, node=peer.nodeID)
        return {"moved": moved}

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
            self._recordings.letGo(live)
            raise
        live.event("handedOver", node=self._node, before=before, epoch=record.epoch)
        return call

    async def _move(self, call: Call) -> bool:
        """
        @return: whether the peer was told of other ports.
        @raise NotTaken: it does not take that.
        """
        assert call.live is not None, "what is taken up has a recording"
        moved = bool(call.live.moved)
        status = await call.tryToMove()
        if status and status < 300:
            return moved
        raise NotTaken(f"the peer answers {status} to the re-INVITE")

    async def _giveBack(self, record: SessionData, node: NodeID) -> None:
        call = self._recorder.callOf(record.sessionID)
        if call is not None and call.live is not None:
            call.fence()
            self._recordings.letGo(call.live)
        self._adapter.forget(record.sessionID)
        try:
            await self._store.claim(record.sessionID, node, record.epoch)
        except StoreError as error:
            # The giver will find out that it has it no more, or that nobody has.
            log.error("{recording}: not given back: {why}", recording=record.sessionID, why=error)

    def _ended(self, peer: Any, body: Any) -> None:
        call = self._recorder.callOf(str(body["id"]))
        if call is not None and call.live is not None:
            files = tuple(str(each) for each in body["files"])
            call.live.segmentEnded(int(body["number"]), float(body["end"]), files)
            call.saveSoon()


def _nothing(recording: RecordingID, directory: str) -> None:
    """
    Nobody wants to know.
    """


@define(eq=False, repr=False)
class Giver:
    """
    Gives calls to others.

    @ivar underWay: the calls that are being given, by recording.
    """

    _node: NodeID
    _store: ISessionStore
    _adapter: SnapshotAdapter
    _links: IClusterLinks
    _recordings: Recordings
    _recorder: Recorder
    _clock: IReactorTime
    # How media may be taken over, in the order in which it is tried.
    _ways: tuple[str, ...] = ("address", "reinvite")
    # Called with a recording's id and directory when its last segment here is
    # closed.
    _onClosed: Callable[[RecordingID, str], object] = _nothing
    _sharesNetwork: Callable[[NodeLease], bool] = sharesNetwork
    underWay: dict[str, list[Deferred[None]]] = field(factory=dict, init=False)
    given: int = field(default=0, init=False)

    def beingGiven(self, key: str) -> Deferred[None] | None:
        """
        @return: fires when it is clear who has that call; C{None} if it is not
            being given to anybody.
        """
        waiters = self.underWay.get(key)
        if waiters is None:
            return None
        done: Deferred[None] = Deferred()
        waiters.append(done)
        return done

    async def give(self, call: Call, target: NodeLease) -> bool:
        """
        Have another node take a call.

        @return: whether it has it now; else it is this node's as before, or has
            ended.
        """
        live = call.live
        if live is None or not await self._isQuiet(call):
            return False
        key = live.recording.id
        if key in self.underWay or call.over:
            return False
        self.underWay[key] = []
        self._recorder.suspend(call)
        try:
            given = await self._give(call, live, target)
        finally:
            if not call.fenced:
                self._recorder.restore(call)
            for waiter in self.underWay.pop(key):
                waiter.callback(None)
        return given

    async def _isQuiet(self, call: Call) -> bool:
        """
        Wait until nothing is changing in the session.
        """
        end = self._clock.seconds() + _BUSY
        while call.busy or call.inviting:
            if self._clock.seconds() >= end or call.over:
                return False
            await deferLater(self._clock, _LOOK)
        return not call.over

    async def _give(self, call: Call, live: LiveRecording, target: NodeLease) -> bool:
        key = live.recording.id
        await call.save()
        files, live.files = live.files, None  # they are the other's to write
        shared = self._byAddress(call) and self._share(live, target)
        try:
            record = await self._store.get(key)
            if record.nodeID != self._node:
                return self._lost(call, live, key)
            body = {"id": key, "epoch": record.epoch, "shared": shared}
            answer = await self._links.request(target.nodeID, TAKE, body, _PATIENCE)
        except (StoreError, LinkError, TimeoutError) as error:
            log.info(
                "{recording}: not taken by {node}: {why}",
                recording=key,
                node=target.nodeID,
                why=str(error) or type(error).__name__,
            )
            if await self._isOurs(key):
                if shared:
                    live.taps.unshare()
                live.files = files
                live.changed()
                return False
            answer = {"moved": not shared}
        self.given += 1
        self._adapter.forget(key)
        call.fence()
        leaving = Deferred.fromCoroutine(self._leave(live, target.nodeID, bool(answer["moved"])))
        leaving.addErrback(lambda why: log.failure("{recording}: not left", why, recording=key))
        await leaving
        return True

    def _byAddress(self, call: Call) -> bool:
        if self._ways[0] == "address":
            return True
        takes = self._recorder.peers.takesReinvite(call.flow.remote[0])
        return "address" in self._ways and takes is False

    def _share(self, live: LiveRecording, target: NodeLease) -> bool:
        if not self._sharesNetwork(target):
            return False
        try:
            live.taps.share()
        except OSError as error:
            log.info("ports cannot be shared: {why}", why=str(error))
            return False
        return True

    def _lost(self, call: Call, live: LiveRecording, key: str) -> bool:
        call.fence()
        self._recordings.letGo(live)
        self._adapter.forget(key)
        return True

    async def _isOurs(self, key: str) -> bool:
        """
        @return: whether the call is still this node's.  While nobody can say,
            it is: who claimed it fences us with the first write.
        """
        try:
            record = await self._store.get(key)
        except StoreError:
            return True
        if record.nodeID == self._node:
            self._adapter.learn(record)
            return True
        return False

    async def _leave(self, live: LiveRecording, node: NodeID, moved: bool) -> None:
        if not moved:
            live.taps.divert()
        number = len(live.recording.segments)
        await self._recordings.leave(live, _LIMIT if moved else 0.0, _QUIET if moved else None)
        self._onClosed(live.recording.id, live.recording.directory)
        segment = live.recording.segments[number - 1]
        last = max((each.lastArrival or 0.0 for each in live.taps.captured), default=0.0)
        body = {
            "id": live.recording.id,
            "number": number,
            "end": last or segment.end or segment.start,
            "files": list(segment.files),
        }
        try:
            await self._links.notify(node, ENDED, body)
        except LinkError as error:
            log.info(
                "{recording}: {node} not told of the last packet: {why}",
                recording=live.recording.id,
                node=node,
                why=str(error),
            )
