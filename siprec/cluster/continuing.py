"""
How a call goes on whose node has died, or has come back: from its record in the
store to a call that this node has.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from siprec.cluster.places import Places
from siprec.cluster.rush import Rush
from siprec.ids import NodeID
from siprec.media.ports import NoFreePorts
from siprec.recorder import Recorder
from siprec.session.beginning import NoRoom
from siprec.session.finishing import finishedManifest
from siprec.session.interfaces import IWorkers
from siprec.session.model import CallSnapshot, DialogInfo, NodeLease, SessionData
from siprec.session.recordings import Recordings
from siprec.session.recovery import lastArrival
from siprec.session.resume import MediaPlan
from siprec.session.running import RunningRecordings
from siprec.sip.errors import SipError
from siprec.sip.flow import Flow
from siprec.sip.transport import TransportService
from siprec.store.interfaces import ISessionStore, SessionNotFound, StoreError
from siprec.uas.call import Call
from siprec.uas.finals import plainFlow
from siprec.uas.snapshot import flowOf

__all__ = ["Continuation"]

log = Logger()

# How often it is tried to make room for a call of a dead node, and how many
# seconds lie between.
_ATTEMPTS, _AGAIN = 5, 1.0

# Seconds between two looks whether a media address has moved here.
_LOOK = 0.05


@define(eq=False, repr=False)
class Continuation:
    """
    Takes up calls.

    @ivar timeout: seconds after which a call without any sign of life is over.
    @ivar addressWait: how long to wait for a media address that moves to this
        host, in seconds.
    @ivar rush: what a call of a dead node waits for once its ports are bound.
    """

    _node: NodeID
    _recordings: Recordings
    _recorder: Recorder
    _transport: TransportService
    _store: ISessionStore
    _running: RunningRecordings
    _workers: IWorkers
    _clock: IReactorTime
    _now: Callable[[], float]
    _places: Places
    _bind: str | None
    _advertise: str | None
    timeout: float
    addressWait: float = 0.0
    ways: tuple[str, ...] = ("address", "reinvite")
    rush: Rush = field(factory=Rush, init=False)

    # After a restart.

    async def goOn(self, snapshot: CallSnapshot, epoch: int) -> Call | None:
        """
        Go on with a call that an earlier life of this node had.

        @return: the call; L{Call.moveMedia} is still to be called.  C{None} if
            it is over: what there is of it is being finished.
        """
        if await self._isOver(snapshot):
            self._finish(snapshot, epoch, "nodeDied")
            return None
        plan = MediaPlan(self._bind, self._advertise)
        return await self._resume(snapshot, epoch, plan)

    # After a take-over.

    async def takeOver(self, record: SessionData, lease: NodeLease | None) -> None:
        """
        Go on with a call of another node that is this node's now.

        @param lease: of that node, if it is known.
        """
        snapshot = record.snapshot
        if snapshot is None:
            log.info("{recording}: has no call to go on with", recording=record.sessionID)
            return
        before = snapshot.recording.segments[-1].node
        try:
            await self._workers.run(self._running.forget, before, snapshot.recording.id)
        except OSError as error:
            # Its own marker comes next; and who finds this one asks the store.
            log.info(
                "{recording}: marker of {node}: {why}",
                recording=snapshot.key,
                node=before,
                why=str(error),
            )
        if await self._isSuperseded(record, snapshot):
            await self._discard(record)
            return
        # A node that was seen alive would have ended a dead call itself.
        if snapshot.recording.state != "recording" or (
            lease is None and await self._isOver(snapshot)
        ):
            self._finish(snapshot, record.epoch, "nodeDied")
            return
        keeps = await self._whichAreHere(snapshot, lease)
        moved = self.moved(snapshot)
        plan = evolve(self.mediaPlan(moved, keeps), bound=self.rush.whenOver)
        call = await self._resume(moved, record.epoch, plan)
        if call is not None and call.live is not None:
            call.live.event("takenOver", node=self._node, before=before, epoch=record.epoch)
            call.moveMedia()

    def mediaPlan(
        self, snapshot: CallSnapshot, keeps: Callable[[str], bool], shared: bool = False
    ) -> MediaPlan:
        """
        @param keeps: tells of an address of another node whether it is here.
        @param shared: whether that node shares its ports with this one.
        """
        flow = flowOf(snapshot.dialog)
        advertise = self._advertise
        if advertise is None:
            # Facing the peer, whatever address the other node had.
            advertise = self._ours(Flow(flow.transport, ("", 0), flow.remote)).local[0]
        return MediaPlan(self._bind or None, advertise, keeps, shared)

    def moved(self, snapshot: CallSnapshot) -> CallSnapshot:
        """
        @return: the call of another node as this one has it: with an address
            of its own for the peer.
        """
        dialog = snapshot.dialog
        flow = self._ours(flowOf(dialog))
        own = self._ours(Flow(flow.transport, ("", 0), flow.remote))
        changed: DialogInfo = evolve(
            dialog, flow=plainFlow(flow), localContact=self._recorder.contact(own)
        )
        return evolve(snapshot, dialog=changed)

    async def resume(self, snapshot: CallSnapshot, epoch: int, plan: MediaPlan) -> Call:
        """
        Go on with a call in a new segment.

        @raise NoFreePorts: there are no ports.
        @raise NoRoom: its files or sockets cannot be had.
        @raise siprec.sdp.parse.BadSDP: the snapshot cannot be used.
        """
        live = await self._recordings.resume(snapshot, epoch, plan)
        try:
            return await self._recorder.resume(snapshot, live)
        except Exception:
            # There is no dialog to go on with; what there is of it is kept.
            self._recordings.finish(live, "nodeDied")
            raise

    def _ours(self, flow: Flow) -> Flow:
        try:
            return self._transport.ours(flow)
        except SipError:
            return flow

    async def _isOver(self, snapshot: CallSnapshot) -> bool:
        recording = snapshot.recording
        if recording.state != "recording":
            return True
        segments = len(recording.segments)
        if await self._workers.run(finishedManifest, recording.directory, segments):
            return True
        now = self._now()
        if recording.pause is not None or now - snapshot.lastActivity <= self.timeout:
            return False
        # It is saved when it changes; a long and quiet one has media, of which a
        # paused one keeps nothing.
        try:
            last = await self._workers.run(lastArrival, recording.directory)
        except OSError:
            last = None
        return last is None or now - last > self.timeout

    async def _isSuperseded(self, record: SessionData, snapshot: CallSnapshot) -> bool:
        """
        @return: whether the peer never had an answer, and has its call at
            another node.
        """
        if snapshot.dialog.confirmed or snapshot.recording.state != "recording":
            return False
        try:
            for key in await self._store.listByCallID(record.callID):
                if key == record.sessionID:
                    continue
                try:
                    other = await self._store.get(key)
                except SessionNotFound:
                    continue
                if (
                    other.snapshot is not None
                    and other.snapshot.dialog.remoteTag == snapshot.dialog.remoteTag
                    and other.startTime >= record.startTime
                ):
                    return True
        except StoreError as error:
            log.info("{callID}: not compared: {why}", callID=record.callID, why=str(error))
        return False

    async def _discard(self, record: SessionData) -> None:
        log.info("{recording}: its peer is recorded at another node", recording=record.sessionID)
        snapshot = record.snapshot
        assert snapshot is not None, "only records of calls are compared"
        self._finish(snapshot, record.epoch, "superseded")

    def _byAddress(self, snapshot: CallSnapshot) -> bool:
        """
        @return: whether the address is tried first: so it is configured, or
            this peer is known to refuse the other way.
        """
        if self.ways[0] == "address":
            return True
        host = flowOf(snapshot.dialog).remote[0]
        return "address" in self.ways and self._recorder.peers.takesReinvite(host) is False

    async def _whichAreHere(
        self, snapshot: CallSnapshot, lease: NodeLease | None
    ) -> Callable[[str], bool]:
        if not self._byAddress(snapshot):
            return lambda host: False

        def here(host: str) -> bool:
            return self._places.isHere(host, lease)

        hosts = {each.host for each in snapshot.recording.streams if each.active}
        end = self._clock.seconds() + self.addressWait
        while self._clock.seconds() < end and not all(map(here, hosts)):
            await deferLater(self._clock, _LOOK)
        return here

    async def _resume(self, snapshot: CallSnapshot, epoch: int, plan: MediaPlan) -> Call | None:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self.resume(snapshot, epoch, plan)
            except (NoFreePorts, NoRoom) as error:
                log.error(
                    "{recording}: not taken up: {why}",
                    recording=snapshot.recording.id,
                    why=str(error),
                )
                if attempt < _ATTEMPTS:
                    await deferLater(self._clock, _AGAIN)
            except Exception:
                log.failure("{recording}: not taken up", recording=snapshot.recording.id)
                break
        if snapshot.recording.id not in self._recordings.recordings:
            self._finish(snapshot, epoch, "nodeDied")
        return None

    def _finish(self, snapshot: CallSnapshot, epoch: int, reason: str) -> None:
        """
        The call does not go on; what there is of it is kept.  Nobody waits: it
        may take as long as the audio takes.
        """
        self._recorder.remember(snapshot)
        ending = Deferred.fromCoroutine(self._recordings.end(snapshot, epoch, reason))
        ending.addErrback(
            lambda failure: log.failure(
                "{recording}: not finished", failure, recording=snapshot.recording.id
            )
        )
