"""
An INVITE whose dialog takes the place of another one (RFC 3891), as pairs of
SBCs send it when one goes on for the other: the recording stays the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Protocol, TypeVar

from attrs import define, field

from siprec.sdp.model import SessionDescription
from siprec.session.life import Reject
from siprec.session.live import LiveRecording, StreamRequest
from siprec.sip.dialog import Dialog
from siprec.sip.errors import BadURI
from siprec.sip.flow import Flow
from siprec.sip.message import Request
from siprec.sip.replaces import Replaces, parseReplaces
from siprec.sip.uri import SipURI, parseURI
from siprec.uas.admission import Refusal
from siprec.uas.opening import Opening

# So many dialogs that ended are remembered, the last ones.
_MOST = 1000


class Replaceable(Protocol):
    """
    A call that may be replaced.
    """

    dialog: Dialog
    flow: Flow
    live: LiveRecording | None

    def handOver(self) -> LiveRecording:
        """
        Give the recording away, and say nothing more.
        """

    def endReplaced(self) -> None:
        """
        Tell the peer that the dialog has ended.
        """


#: Call-ID, our tag, the peer's.
DialogID = tuple[str, str, str]

_Call = TypeVar("_Call", bound=Replaceable)


def checkReplaces(request: Request) -> Refusal | None:
    """
    RFC 3891 section 3: at most one Replaces, in an INVITE, without Join.
    """
    values = request.headers.getAll("Replaces")
    if not values:
        return None
    if request.method != "INVITE" or len(values) > 1 or "Join" in request.headers:
        return Refusal(400, "one Replaces, and only in an INVITE")
    if parseReplaces(values[0]) is None:
        return Refusal(400, "Replaces needs a Call-ID and both tags")
    return None


def replacesOf(request: Request) -> Replaces | None:
    """
    @param request: one that L{checkReplaces} has let pass.
    """
    value = request.headers.get("Replaces")
    return None if value is None else parseReplaces(value)


@define(eq=False, repr=False)
class Ended:
    """
    Dialogs that have ended, for a while.
    """

    _dialogs: OrderedDict[DialogID, None] = field(factory=OrderedDict, init=False)

    def add(self, dialog: DialogID) -> None:
        """
        A dialog has ended.
        """
        self._dialogs[dialog] = None
        if len(self._dialogs) > _MOST:
            self._dialogs.popitem(last=False)

    def has(self, dialog: DialogID) -> bool:
        """
        @return: whether it has ended a while ago.
        """
        return dialog in self._dialogs

    def replaced(
        self, wanted: Replaces, calls: Mapping[DialogID, _Call], flow: Flow
    ) -> _Call | Refusal:
        """
        @param calls: those that run.
        @param flow: what the INVITE came by.
        @return: the call that is to be replaced, or why there is none (RFC 3891
            section 3).
        """
        key = (wanted.callID, wanted.toTag, wanted.fromTag)
        call = calls.get(key)
        if call is None and key in self._dialogs:
            return Refusal(603, "the call to be replaced is over")
        if call is None or call.live is None:
            return Refusal(481, "no such call to be replaced")
        if wanted.earlyOnly:
            return Refusal(486, "the call to be replaced is established")
        if flow.remote[0] not in _places(call):
            return Refusal(403, "the call to be replaced is another peer's")
        return call


def _places(call: Replaceable) -> tuple[str, ...]:
    """
    @return: the hosts that may speak for the peer of a call.
    """
    try:
        target = parseURI(call.dialog.remoteTarget)
    except BadURI:
        return (call.flow.remote[0],)
    return (call.flow.remote[0], target.host if isinstance(target, SipURI) else "")


def _adopt(live: LiveRecording, lines: list[StreamRequest]) -> None:
    """
    The session is described anew: streams go on at the lines that have their
    labels, those without a label at the lines of their old places.
    """
    running = [each for each in live.recording.streams if each.active]
    labels = {each.label: each.index for each in running if each.label is not None}
    places = {each.mediaIndex: each.index for each in running}
    found: dict[int, int] = {}
    for line in lines:
        index = places.get(line.mediaIndex) if line.label is None else labels.get(line.label)
        if index is not None and index not in found:
            found[index] = line.mediaIndex
    for each in running:
        if each.index in found:
            live.changeStream(each.index, mediaIndex=found[each.index])
        else:
            live.event("streamRemoved", stream=each.index, label=each.label)
            live.dropStream(each.index)


@define(eq=False, repr=False)
class Replacement(Opening):
    """
    Takes up the recording of another dialog and answers the INVITE.
    """

    _old: Replaceable

    async def _record(self, streams: list[StreamRequest]) -> LiveRecording:
        """
        @return: the recording of the old dialog, which lets go of it.
        """
        before = self._old.dialog.callID
        live = self._old.handOver()
        _adopt(live, streams)
        live.replaced(self._invite.request.callID, before)
        for document in self._bodies.documents:
            live.receive(document)
        return live

    def _describe(self, live: LiveRecording) -> SessionDescription:
        """
        @return: our side of the session; lines without a stream get one.
        """
        return self._call.negotiation.takeOver(live)

    def answer(self) -> None:
        """
        Send the 200, and end the old dialog.
        """
        super().answer()
        self._old.endReplaced()

    def reject(self, rejection: Reject) -> None:
        """
        Refuse the INVITE; the old dialog ends all the same once it has given
        its recording away.
        """
        super().reject(rejection)
        if self._call.live is not None:
            self._old.endReplaced()
