"""
At which node a dialog is: as the store says, and as it said a moment ago.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from attrs import define, field, frozen
from twisted.internet.interfaces import IReactorTime

from siprec.ids import NodeID, isOurTag
from siprec.session.model import DialogInfo, SessionData
from siprec.sip.message import Request
from siprec.store.interfaces import ISessionStore, SessionNotFound
from siprec.uas.replacing import replacesOf

__all__ = ["DialogID", "Place", "Whereabouts", "dialogOf", "namesDialog"]

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


def namesDialog(request: Request) -> bool:
    """
    @return: whether it is in a dialog, or would replace one.
    """
    return request.toTag is not None or replacesOf(request) is not None


def _beginning(request: Request) -> DialogID:
    """
    @return: what the INVITE that made the dialog of a request was known by.
    """
    return (request.callID, "", request.fromTag or "")


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

    def isElsewhere(self, request: Request) -> bool:
        """
        @param request: of no dialog of this node.
        @return: whether, as far as it says itself, it may be for another one.
        """
        if request.toTag is not None:
            return isOurTag(request.toTag)
        wanted = replacesOf(request)
        if wanted is not None:
            return isOurTag(wanted.toTag)
        # The CANCEL of an INVITE that was for another one.
        return request.method == "CANCEL" and self.remembered(request) is not None

    def remembered(self, request: Request) -> Place | None:
        """
        @return: where the request's dialog was found a moment ago, or the one
            that the INVITE which made it was to replace.
        """
        for dialog in (dialogOf(request), _beginning(request)):
            place, until = self._known.get(dialog, (None, 0.0))
            if until > self._clock.seconds():
                return place
        return None

    def remember(self, request: Request, place: Place) -> None:
        """
        Requests of this dialog need not be looked up for a while.  It is not
        remembered of an INVITE that makes one, unless in place of another.
        """
        if not namesDialog(request):
            return
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
        self._known.pop(_beginning(request), None)

    async def find(self, request: Request) -> Place | None:
        """
        @return: where the request's dialog is, or the one that it replaces, or
            C{None} if there is none.
        @raise siprec.store.interfaces.StoreError: that cannot be known.
        """
        self.lookups += 1
        try:
            found = await self._find(request.callID, lambda dialog: _isOf(request, dialog))
            wanted = replacesOf(request)
            if found is not None or wanted is None:
                return found
            replaced = (wanted.callID, wanted.toTag, wanted.fromTag)
            return await self._find(
                wanted.callID,
                lambda dialog: (dialog.callID, dialog.localTag, dialog.remoteTag) == replaced,
            )
        finally:
            self.lookups -= 1

    async def _find(self, callID: str, isIt: Callable[[DialogInfo], bool]) -> Place | None:
        for key in await self._store.listByCallID(callID):
            try:
                record = await self._store.get(key)
            except SessionNotFound:
                continue
            if record.snapshot is not None and isIt(record.snapshot.dialog):
                return Place(record.nodeID, key, record)
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
