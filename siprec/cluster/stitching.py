"""
One recording for one call, though its client opened a second recording session:
it lost the first one, or its node was lost to it (RFC 7866 section 5.2 tells of
a client that begins anew).

Two sessions of one call need not be that: a client may record at two places, and
both ends of a call may be recorded.  So the first one must be over without a BYE,
or without a living node, or be silent; and both must come from one host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from siprec.cluster.errors import LinkError, Refusal
from siprec.cluster.interfaces import IClusterLinks
from siprec.ids import NodeID
from siprec.recorder import Recorder
from siprec.session.abandoned import ABANDONED
from siprec.session.live import LiveRecording
from siprec.session.model import SessionData
from siprec.session.recordings import Recordings
from siprec.store.adapter import SnapshotAdapter
from siprec.store.interfaces import ISessionStore, SessionNotFound, StoreError
from siprec.uas.call import Call

__all__ = ["RELEASE", "NotReleased", "Stitching"]

log = Logger()

#: Kind of message between nodes: give up a recording that goes on elsewhere.
RELEASE = "stitch.release"

# Seconds without media or signalling after which a recording session may be one that its
# client has given up.
_SILENT = 1.0

# Seconds between two looks at a call that was taken up and not heard since.
_LOOK = 0.1

# So many keys of a call are looked for; more than a client needs to name one.
_MOST_KEYS = 4


class NotReleased(Refusal):
    """
    The recording is another one's, and goes on.
    """


@define(eq=False, repr=False)
class Stitching:
    """
    Finds the recording that a new session goes on with.

    @ivar window: for how many seconds a recording whose dialog was lost waits
        for a new one; 0: nothing is ever joined.
    @ivar stitched: how many sessions were joined.
    """

    _clock: IReactorTime
    _node: NodeID
    _store: ISessionStore
    _adapter: SnapshotAdapter
    _recordings: Recordings
    _recorder: Recorder
    _now: Callable[[], float]
    # Whether a node is dead, as far as this one can tell.
    _isDead: Callable[[NodeID], bool]
    # Fires when a session that this node is taking up is; None if it is not.
    _beingTakenUp: Callable[[str], Deferred[None] | None]
    window: float
    _links: IClusterLinks | None = None
    stitched: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        if self._links is not None:
            self._links.handle(RELEASE, self._released)

    async def predecessor(self, keys: Iterable[str], host: str) -> SessionData | None:
        """
        @param keys: of the new session; see L{siprec.session.correlation}.
        @param host: the address that it comes from.
        @return: the record of the recording that it goes on with, this node's
            now; C{None} if there is none.
        """
        if not self.window:
            return None
        try:
            for key in await self._candidates(list(keys)[:_MOST_KEYS]):
                found = await self._take(key, host)
                if found is not None:
                    self.stitched += 1
                    return found
        except StoreError as error:
            # A recording of its own is better than none.
            log.info("not looked for a former session: {why}", why=str(error))
        return None

    async def _candidates(self, keys: list[str]) -> list[str]:
        found = [await each for each in map(self._store.listByCorrelation, keys)]
        # The newest first: ids are made of the time.
        return sorted({key for each in found for key in each}, reverse=True)

    async def _take(self, key: str, host: str) -> SessionData | None:
        taking = self._beingTakenUp(key)
        if taking is not None:
            await taking
        try:
            record = await self._store.get(key)
        except SessionNotFound:
            return None
        if not self._isSame(record, host):
            return None
        if record.nodeID == self._node:
            if not await self.release(key):
                return None
        elif not self._isDead(record.nodeID) and not await self._ask(record.nodeID, key):
            return None
        claimed = await self._store.claim(key, self._node, record.epoch)
        self._adapter.learn(claimed)
        log.info("{recording}: goes on in a new session from {host}", recording=key, host=host)
        return claimed

    def _isSame(self, record: SessionData, host: str) -> bool:
        """
        @return: whether the new session can be one that follows this one.
        """
        snapshot = record.snapshot
        if snapshot is None or snapshot.dialog.flow[3] != host:
            return False
        recording = snapshot.recording
        if recording.state == "recording":
            return True
        ended = recording.endTime or 0.0
        return recording.endReason in ABANDONED and self._now() - ended <= self.window

    async def _ask(self, node: NodeID, key: str) -> bool:
        if self._links is None:
            return False
        try:
            await self._links.request(node, RELEASE, {"id": key})
        except (LinkError, TimeoutError) as error:
            log.info("{recording}: not given up: {why}", recording=key, why=str(error))
            return False
        return True

    async def _released(self, peer: Any, body: Any) -> None:
        if not await self.release(str(body["id"])):
            raise NotReleased("it goes on")

    async def release(self, key: str) -> bool:
        """
        Give up a recording of this node, if its client seems to have done so.

        @return: whether it is given up: nothing more is written of it here.
        """
        while self._mayBeSilent(key):
            await deferLater(self._clock, _LOOK)
        live = self._recordings.recordings.get(key)  # type: ignore[call-overload]
        if live is None:
            return True  # its record is all that there is
        call = self._recorder.callOf(key)
        if call is not None:
            if self._now() - _lastSign(call, live) < _SILENT:
                return False
            call.fence()
        elif not self._recordings.isWaiting(live):
            return False  # its audio is being made already
        self._recordings.letGo(live)
        self._adapter.forget(key)
        return True

    def _mayBeSilent(self, key: str) -> bool:
        # That a call was taken up just now is no sign of its client, whose new session
        # may be the very answer to the death of the node that had it.
        call = self._recorder.callOf(key)
        if call is None or call.live is None or call.takenUp is None:
            return False
        last = _lastSign(call, call.live)
        return last == call.takenUp and self._now() - last < _SILENT


def _lastSign(call: Call, live: LiveRecording) -> float:
    # When the client was last seen to be there, seconds since the epoch.
    return max(live.lastArrival() or 0.0, call.heard)
