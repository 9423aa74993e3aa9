"""
At which node a dialog is: as the store says, and as it said a moment ago.
"""

from __future__ import annotations

from collections import OrderedDict

from attrs import define, field, frozen
from twisted.internet.interfaces import IReactorTime

from siprec.ids import NodeID
from siprec.session.model import DialogInfo, SessionData
from siprec.sip.message import Request
from siprec.store.interfaces import ISessionStore, SessionNotFound

__all__ = ["DialogID", "Place", "Whereabouts", "dialogOf"]

#: What a dialog is known by: Call-ID, our tag, the peer's.
DialogID = tuple[str, str, str]

# Seconds for which the node of a dialog is remembered.
_REMEMBER = 10.0

# How many dialogs are remembered.
_MOST = 5000


def dialogOf(request: Request) -> DialogID:
    """
    @return: what the dialog of a request is known by; without our tag, if it is
        to make one.
    """
    return (request.callID, request.toTag or "", request.fromTag or "")


@frozen
class Place:
    """
    Where a dialog is.

    @ivar key: of its record.
    @ivar record: what was found in the store; C{None}: it is remembered.
    """

    owner: NodeID
    key: str
    record: SessionData | None = None

    @property
    def isOver(self) -> bool:
        """
        Whether the dialog has ended, as far as the record says, and only its
        files are still being finished.
        """
        snapshot = None if self.record is None else self.record.snapshot
        return snapshot is not None and snapshot.recording.state != "recording"


@define(eq=False, repr=False)
class Whereabouts:
    """
    @ivar lookups: how many are under way in the store.
    """

    _store: ISessionStore
    _clock: IReactorTime
    lookups: int = field(default=0, init=False)
    _known: OrderedDict[DialogID, tuple[Place, float]] = field(factory=OrderedDict, init=False)

    def remembered(self, request: Request) -> Place | None:
        """
        @return: where the request's dialog was found a moment ago.
        """
        place, until = self._known.get(dialogOf(request), (None, 0.0))
        return place if until > self._clock.seconds() else None

    def remember(self, request: Request, place: Place) -> None:
        """
        Requests of this dialog need not be looked up for a while.
        """
        dialog = dialogOf(request)
        until = self._clock.seconds() + _REMEMBER
        self._known[dialog] = (Place(place.owner, place.key), until)
        self._known.move_to_end(dialog)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)

    def forget(self, request: Request) -> None:
        """
        The dialog is not there any more.
        """
        self._known.pop(dialogOf(request), None)

    async def find(self, request: Request) -> Place | None:
        """
        @return: where the request's dialog is, or C{None} if there is none.
        @raise siprec.store.interfaces.StoreError: that cannot be known.
        """
        self.lookups += 1
        try:
            for key in await self._store.listByCallID(request.callID):
                try:
                    record = await self._store.get(key)
                except SessionNotFound:
                    continue
                if record.snapshot is not None and _isOf(request, record.snapshot.dialog):
                    return Place(record.nodeID, key, record)
        finally:
            self.lookups -= 1
        return None


def _isOf(request: Request, dialog: DialogInfo) -> bool:
    """
    @return: whether a request is one of the dialog, or the one that made it.
    """
    if (request.callID, request.fromTag or "") != (dialog.callID, dialog.remoteTag):
        return False
    if request.toTag is None:
        # Another INVITE of that Call-ID would be another call.
        return request.cseq.number == dialog.remoteCSeq
    return request.toTag == dialog.localTag
