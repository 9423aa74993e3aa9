"""
Asking a peer for a complete metadata document, where the state of its call is lost or
cannot be right (RFC 7866 section 9.2, CONFORMANCE A35 to A41).
"""

from __future__ import annotations

from typing import Protocol

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.metadata.serialize import snapshotRequest
from siprec.session.live import LiveRecording
from siprec.sip.dialog import Dialog
from siprec.sip.errors import SipError
from siprec.sip.flow import Flow
from siprec.uas.around import Surroundings
from siprec.uas.bodies import ACCEPT
from siprec.uas.ours import OwnRequests

__all__ = ["FIRST", "LONGEST_WAIT", "PATIENCE", "SOON", "SnapshotRequests"]

log = Logger()

#: Seconds from what is wrong to the request: what the peer is at may set it right.
SOON = 1.0

#: Seconds for which a call may be without metadata: a client that has none yet sends
#: it later.
PATIENCE = 5.0

#: Seconds between two requests in one call; each time twice as many, up to the second.
FIRST, LONGEST_WAIT = 30.0, 3600.0

_REASONS = {"state": "state lost", "metadata": "metadata not understood or missing"}


class Asking(Protocol):
    """
    What this needs of its call.
    """

    dialog: Dialog
    flow: Flow
    over: bool
    live: LiveRecording | None
    peerAllows: frozenset[str]

    @property
    def busy(self) -> bool:
        """
        Whether a change of the session is under way that the peer asked for.
        """

    def saveSoon(self) -> None:
        """
        Save the call as it is now; nobody waits for it.
        """

    def broken(self, failure: Failure) -> None:
        """
        Log what nobody foresaw.
        """

    def peerGone(self) -> None:
        """
        The peer does not know the call any more.
        """


@define(eq=False, repr=False)
class SnapshotRequests:
    """
    Asks for one call, never more than once for one error, and never so that the call
    could end by it.
    """

    _around: Surroundings
    _call: Asking
    _ours: OwnRequests
    _timer: IDelayedCall | None = field(default=None, init=False)
    _earliest: float = field(default=0.0, init=False)
    _wait: float = field(default=FIRST, init=False)

    def begun(self) -> None:
        """
        The call has been answered; it may have come without metadata.
        """
        live = self._call.live
        if live is not None and not live.documents:
            live.lacks = "metadata"
            self.look(PATIENCE)

    def look(self, delay: float = SOON) -> None:
        """
        Ask soon, if that is called for.

        @param delay: seconds until then, at least.
        """
        if self._timer is None and self._wanted():
            clock = self._around.clock
            self._timer = clock.callLater(max(delay, self._earliest - clock.seconds()), self._due)

    def stop(self) -> None:
        """
        The call is over.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wanted(self) -> bool:
        call, around = self._call, self._around
        if call.over or call.live is None or not call.live.lacks:
            return False
        policy = "errors" if call.live.lacks == "metadata" else "lost"
        return (
            around.snapshots in (policy, "errors")
            and "UPDATE" in call.peerAllows
            and around.peers.takesSnapshotRequest(call.flow.remote[0]) is not False
        )

    def _due(self) -> None:
        self._timer = None
        if self._call.busy or self._ours.inviting:
            self.look()
        elif self._wanted():
            Deferred.fromCoroutine(self._ask()).addErrback(self._call.broken)

    async def _ask(self) -> None:
        call, around, live = self._call, self._around, self._call.live
        assert live is not None, "only then it is wanted"
        self._earliest = around.clock.seconds() + self._wait
        self._wait = min(2 * self._wait, LONGEST_WAIT)
        body = snapshotRequest(_REASONS[live.lacks])
        live.lacks = ""
        headers = [
            ("Require", "siprec"),
            ("Accept", ACCEPT),
            ("Content-Disposition", "recording-session"),
        ]
        try:
            status = await self._ours.update(headers, body, live.mediaType)
        except (SipError, TimeoutError) as error:
            log.info("{callID}: {why}", callID=call.dialog.callID, why=str(error))
            status = 408
        except CancelledError:
            return  # the call is over
        if call.over:
            return
        live.event("snapshotRequested", status=status)
        if status == 481:
            call.peerGone()
            return
        if status != 408:
            # Some take a request with any body for an offer, and say 488 (A40).
            around.peers.answeredSnapshotRequest(call.flow.remote[0], status < 300)
        call.saveSoon()
