"""
The calls that run at this node, by what finds them.
"""

from __future__ import annotations

from collections import Counter, deque
from math import inf

from attrs import define, field

from siprec.session.liveness import Signs
from siprec.sip.flow import Flow
from siprec.sip.message import Request
from siprec.sip.replaces import Replaces
from siprec.uas.admission import Refusal
from siprec.uas.call import Call
from siprec.uas.replacing import DialogID, Ended, replacesOf

__all__ = ["Running"]


# How many calls stay whole when they have ended, for what is just being done for them.
_WHOLE = 64


def _idOf(call: Call) -> DialogID:
    dialog = call.dialog
    return dialog.callID, dialog.localTag, dialog.remoteTag


@define(eq=False, repr=False)
class Running:
    """
    @ivar calls: every dialog that has not ended.
    """

    calls: dict[DialogID, Call] = field(factory=dict, init=False)
    _ended: Ended = field(factory=Ended, init=False)
    # Calls that have ended and are whole still; the last is the one that ended last.
    _whole: deque[Call] = field(factory=deque, init=False)
    # How many calls have this Call-ID and tag of the peer's.
    _begun: Counter[tuple[str, str]] = field(factory=Counter, init=False)

    def add(self, call: Call) -> None:
        """
        Requests in the dialog of a call are taken from now on.
        """
        key = _idOf(call)
        if key not in self.calls:
            self._begun[key[0], key[2]] += 1
        self.calls[key] = call

    def remove(self, call: Call) -> None:
        """
        A call has ended, or has left this node.
        """
        key = _idOf(call)
        # A call that left this node may be back, and that is another one.
        if self.calls.get(key) is not call:
            return
        del self.calls[key]
        if call.over and not call.fenced:
            self._ended.add(key)
        if call.over:
            self._whole.append(call)
        if len(self._whole) > _WHOLE:
            self._whole.popleft().takeApart()
        begun = (key[0], key[2])
        self._begun[begun] -= 1
        if not self._begun[begun]:
            del self._begun[begun]

    def find(self, request: Request) -> Call | None:
        """
        @return: the call in whose dialog a request is.
        """
        return self.calls.get((request.callID, request.toTag or "", request.fromTag or ""))

    def has(self, request: Request) -> bool:
        """
        @return: whether the dialog of a request, or the INVITE that would make
            one, is among these, or the one that it would replace is or was.
        """
        if request.toTag is not None:
            return self.find(request) is not None
        if (request.callID, request.fromTag or "") in self._begun:
            return True
        wanted = replacesOf(request)
        if wanted is None:
            return False
        key = (wanted.callID, wanted.toTag, wanted.fromTag)
        return key in self.calls or self._ended.has(key)

    def ofRecording(self, key: str) -> Call | None:
        """
        @param key: a recording's id.
        @return: the call that it is of.
        """
        for call in self.calls.values():
            if call.live is not None and call.live.recording.id == key:
                return call
        return None

    def uses(self, connection: int) -> bool:
        """
        @return: whether a call would speak to its peer by that connection.
        """
        return any(call.flow.connection == connection for call in self.calls.values())

    def replaced(self, wanted: Replaces, flow: Flow) -> Call | Refusal:
        """
        See L{Ended.replaced}.
        """
        return self._ended.replaced(wanted, self.calls, flow)

    def signs(self, now: float, cutOff: bool) -> list[Signs]:
        """
        @param now: seconds since the epoch.
        @param cutOff: whether others may have taken these calls.
        @return: the signs of life of every call that is recorded.
        """
        found = []
        for call in self.calls.values():
            if call.live is not None:
                interval = call.timer.agreed.interval
                until = None if interval is None else now + interval - call.timer.elapsed
                if cutOff:
                    # It may be elsewhere that it lives.
                    until = inf
                live = call.live
                found.append(Signs(live.recording.id, live.lastArrival(), call.heard, until))
        return found
