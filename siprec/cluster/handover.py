"""
Calls that go from a living node to another one, without a packet lost.

The giver asks; the taker claims the call, has its media come in, and answers;
only then does the giver stop, and not before its own sockets have been silent.
On one host the ports themselves go over, and the peer notices nothing; else the
taker moves the media by a re-INVITE.  If that is refused, or the taker dies, the
giver claims the call back: until it is clear who has it, it goes on here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from siprec.cluster.errors import LinkError, PeerFailed, PeerLeft, Unreachable
from siprec.cluster.interfaces import IClusterLinks
from siprec.cluster.taking import ENDED, HAS, TAKE, NotTaken
from siprec.cluster.underway import UnderWay
from siprec.ids import NodeID, RecordingID
from siprec.recorder import Recorder
from siprec.session.live import LiveRecording
from siprec.session.model import NodeLease, SessionData
from siprec.session.processes import sharesNetwork
from siprec.session.recordings import Recordings
from siprec.sip.dialog import MAX_CSEQ
from siprec.store.adapter import SnapshotAdapter
from siprec.store.interfaces import ISessionStore, NotOwner, SessionNotFound, StoreError
from siprec.uas.call import Call
from siprec.uas.snapshot import CSEQ_JUMP

__all__ = ["Giver"]

log = Logger()

# Longest time in seconds that taking a call may last, as its re-INVITE may have
# to be tried again; and the least that makes it worth asking.
_PATIENCE, _LEAST = 45.0, 0.5

# Seconds in which it has to become clear who has a call, where the taker gave no
# answer: longer than a lease holds.  And how often that is looked at.
_CLEAR, _CLEARER = 5.0, 0.25

# Seconds for which a change of the session is awaited.
_BUSY, _LOOK = 3.0, 0.05

# How long the sockets of a call that has moved must be silent, and how long
# that is awaited at most, in seconds.
_QUIET, _LIMIT = 0.5, 10.0


def _never(node: NodeID) -> bool:
    """
    No node ever dies.
    """
    return False


def _settled(key: str) -> bool:
    """
    Every call that is here has come to stay.
    """
    return False


def _nothing(recording: RecordingID, directory: str) -> None:
    """
    Nobody wants to know.
    """


@define(eq=False, repr=False)
class Giver:
    """
    Gives calls to others.

    @ivar underWay: the calls that are being given, by recording.
    @ivar given: how many others have, since the start.
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
    # Whether a node is dead.
    _isDead: Callable[[NodeID], bool] = _never
    # Whether a call is just coming here.
    _isComing: Callable[[str], bool] = _settled
    _sharesNetwork: Callable[[NodeLease], bool] = sharesNetwork
    underWay: UnderWay = field(factory=UnderWay, init=False)
    given: int = field(default=0, init=False)
    _leaving: set[Deferred[None]] = field(factory=set, init=False)
    _asking: dict[Deferred[Any], NodeID] = field(factory=dict, init=False)
    # Who may have taken a call of which nobody could say who has it.
    _doubtful: dict[str, NodeID] = field(factory=dict, init=False)

    def beingGiven(self, key: str) -> Deferred[None] | None:
        """
        @return: fires when it is clear who has that call; C{None} if it is not
            being given to anybody.
        """
        return self.underWay.whenClear(key)

    def nodeDied(self, node: NodeID) -> None:
        """
        A node is dead, and answers nothing any more.
        """
        for asked in [each for each, whom in self._asking.items() if whom == node]:
            asked.cancel()

    def left(self) -> Deferred[None]:
        """
        @return: fires when nothing comes in any more for what was given away.
        """
        waiting = []
        for leaving in self._leaving:
            done: Deferred[None] = Deferred()
            leaving.chainDeferred(done)
            waiting.append(done)
        return DeferredList(waiting).addCallback(lambda _: None)

    async def give(self, call: Call, target: NodeLease, until: float | None = None) -> bool:
        """
        Have another node take a call.

        @param until: when to stop waiting for it, by the clock; it takes a few
            seconds more where it then has to be found out who has the call.
        @return: whether it has it now; else it is this node's as before, or has
            ended.
        """
        end = self._clock.seconds() + _PATIENCE
        end = end if until is None else min(end, until)
        live = call.live
        if live is None or not await self._isQuiet(call, end):
            return False
        key = live.recording.id
        if key in self.underWay or self._isComing(key):
            return False
        self.underWay.begin(key)
        self._doubtful.pop(key, None)
        self._recorder.suspend(call)
        try:
            return await self._give(call, live, target, end)
        finally:
            if not call.fenced:
                self._recorder.restore(call)
            self.underWay.end(key)

    async def _isQuiet(self, call: Call, end: float) -> bool:
        """
        Wait until nothing is changing in the session.
        """
        end = min(self._clock.seconds() + _BUSY, end - _LEAST)
        while not call.over and (call.busy or call.asking):
            if self._clock.seconds() >= end:
                return False
            await deferLater(self._clock, _LOOK)
        return not call.over and self._clock.seconds() <= end

    async def _give(self, call: Call, live: LiveRecording, target: NodeLease, end: float) -> bool:
        key, node = live.recording.id, target.nodeID
        await call.save()
        try:
            record = await self._store.get(key)
        except StoreError as error:
            self._notTaken(key, node, error)
            return False
        if record.nodeID != self._node:
            self._letGo(call, live)
            return True
        await live.making.done()
        files, live.files = live.files, None  # they are the other's to write
        shared = self._byAddress(call) and self._share(live, target)
        moved = not shared
        try:
            moved = await self._ask(node, record, shared, end)
        except (LinkError, TimeoutError, CancelledError) as error:
            self._notTaken(key, node, error)
            if await self._isOursStill(call, record, node, error):
                if shared:
                    live.taps.unshare()
                live.files = files
                live.changed()
                return False
        self.given += 1
        self._adapter.forget(key)
        call.fence()
        self._beginToLeave(live, node, moved)
        return True

    async def _ask(self, node: NodeID, record: SessionData, shared: bool, end: float) -> bool:
        """
        @return: whether the media has moved to other ports.
        """
        within = max(end - self._clock.seconds(), _LEAST)
        body = {"id": record.sessionID, "epoch": record.epoch, "shared": shared, "within": within}
        asked = self._links.request(node, TAKE, body, within)
        self._asking[asked] = node
        try:
            return bool((await asked)["moved"])
        finally:
            del self._asking[asked]

    def _notTaken(self, key: str, node: NodeID, error: BaseException) -> None:
        log.info(
            "{recording}: not taken by {node}: {why}",
            recording=key,
            node=node,
            why=str(error) or type(error).__name__,
        )

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

    def _letGo(self, call: Call, live: LiveRecording) -> None:
        call.fence()
        self._recordings.letGo(live)
        self._adapter.forget(live.recording.id)

    # Who has it?

    async def _isOursStill(
        self, call: Call, record: SessionData, node: NodeID, error: BaseException
    ) -> bool:
        """
        @param error: why the taker has not said that it has it.
        """
        if isinstance(error, Unreachable | PeerLeft):
            return True  # it has not even been asked
        refused = isinstance(error, PeerFailed) and error.name == NotTaken.__name__
        return await self._isOurs(call, record.sessionID, node, record.epoch, refused)

    async def _isOurs(
        self, call: Call, key: str, node: NodeID, epoch: int, refused: bool = False
    ) -> bool:
        """
        @param node: who was asked to take the call, C{epoch} of what.
        @param refused: it has said that it does not have it.
        @return: whether the call is still this node's.  While nobody can say,
            it is: the first write tells, and then L{isAnothers} asks again.
        """
        end, owned = self._clock.seconds() + _CLEAR, False
        while True:
            try:
                record = await self._store.get(key)
                owned = record.nodeID == node
                if owned and (refused or await self._isWithout(node, key, end)):
                    record = await self._store.claim(key, self._node, record.epoch)
                if record.nodeID == self._node:
                    self._takeBack(call, record, epoch)
                    return True
                return False
            except SessionNotFound:
                return False  # it has been ended there
            except NotOwner:
                continue  # somebody was faster
            except (StoreError, LinkError, TimeoutError) as error:
                log.debug("{recording}: not clear who has it: {why}", recording=key, why=str(error))
            if self._clock.seconds() >= end:
                break
            await deferLater(self._clock, _CLEARER)
        if owned:
            return False  # and whoever is in charge of it there takes it up
        self._doubtful[key] = node
        _raise(call, None)
        return True

    def _takeBack(self, call: Call, record: SessionData, epoch: int) -> None:
        self._adapter.learn(record)
        if record.epoch != epoch:
            _raise(call, record)

    async def _isWithout(self, node: NodeID, key: str, end: float) -> bool:
        """
        @return: whether a node that owns a call does not have it.
        """
        if self._isDead(node):
            return True
        within = max(end - self._clock.seconds(), _LEAST)
        return not await self._links.request(node, HAS, {"id": key}, within)

    def isAnothers(self, key: str) -> Deferred[bool]:
        """
        A write has shown that a call of this node has another owner.

        @return: fires with whether it is another's for good; else its taker
            has turned out not to have it, and it has been claimed back.
        """
        return Deferred.fromCoroutine(self._isAnothers(key))

    async def _isAnothers(self, key: str) -> bool:
        call, node = self._recorder.callOf(key), self._doubtful.pop(key, None)
        if key in self.underWay:
            return False  # that is found out already
        if call is None or node is None:
            return True
        self.underWay.begin(key)
        try:
            ours = await self._isOurs(call, key, node, 0)
        finally:
            self.underWay.end(key)
        if ours and not call.over:
            await call.save()
        return not ours

    # Afterwards.

    def _beginToLeave(self, live: LiveRecording, node: NodeID, moved: bool) -> None:
        leaving = Deferred.fromCoroutine(self._leave(live, node, moved))
        leaving.addErrback(
            lambda why: log.failure("{recording}: not left", why, recording=live.recording.id)
        )
        self._leaving.add(leaving)
        leaving.addCallback(lambda _: self._leaving.discard(leaving))

    async def _leave(self, live: LiveRecording, node: NodeID, moved: bool) -> None:
        if not moved:
            try:
                live.taps.divert()
            except OSError as error:
                # What is still in our sockets is captured, then they are closed.
                log.warn("ports not left to {node}: {why}", node=node, why=str(error))
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


def _raise(call: Call, record: SessionData | None) -> None:
    """
    The taker may have spoken to the peer: our numbers have to be above its own.

    @param record: as it was when it came back, or C{None}.
    """
    used = call.dialog.localCSeq
    if record is not None and record.snapshot is not None:
        used = max(used, record.snapshot.dialog.localCSeq)
    call.dialog = evolve(call.dialog, localCSeq=min(used + 2 * CSEQ_JUMP, MAX_CSEQ))
