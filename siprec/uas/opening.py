"""
The first INVITE of a call, until it is answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.media.ports import NoFreePorts
from siprec.sdp.model import SessionDescription
from siprec.session.announcing import Announcement
from siprec.session.correlation import keysOf
from siprec.session.life import Reject
from siprec.session.live import Document, LiveRecording, StreamRequest
from siprec.session.recordings import NoRoom
from siprec.sip.dialog import Dialog
from siprec.sip.flow import Flow
from siprec.sip.interfaces import IServerTransaction
from siprec.sip.livetransaction import INVITE_TRYING
from siprec.sip.message import Request, Response
from siprec.sip.sessiontimer import TimerSettings, TooSmall, negotiate
from siprec.uas.around import RETRY_AFTER, Surroundings
from siprec.uas.bodies import Bodies
from siprec.uas.negotiation import Negotiation
from siprec.uas.responses import interrupted, ok, refusal
from siprec.uas.saving import Saving
from siprec.uas.sessionclock import SessionClock

log = Logger()

_TIMER = TimerSettings()

# Seconds after which a first INVITE is told 100, whatever is to be done before: who hears
# nothing for longer may look for another server.
_LONGEST_SILENCE = 1.0

# A timer that is late by more seconds says that it is this process which is slow, not the
# disk: then there is no time for another save.
_LATE = 0.05

# Lines of an offer of ours where the metadata says nothing: one for each side of
# a call.
_LINES = 2

# Transports on which nobody reads the keys of SRTP along the way.
_PRIVATE = ("TLS", "WSS")


def expectedLabels(documents: Sequence[Document]) -> list[str | None]:
    """
    @return: the labels of the streams that metadata tells of; without metadata
        those, not known yet, of a call between two.
    """
    named = [each.label for document in documents for each in document.parsed.streams]
    labels: list[str | None] = list(dict.fromkeys(label for label in named if label))
    return labels or [None] * _LINES


class Opened(Protocol):
    """
    What the first INVITE needs of its call.
    """

    dialog: Dialog
    flow: Flow
    live: LiveRecording | None
    negotiation: Negotiation
    timer: SessionClock

    def noteAllowed(self, request: Request) -> None:
        """
        Remember which methods the peer takes.
        """

    async def promise(
        self, transaction: IServerTransaction, response: Response, offers: bool = False
    ) -> None:
        """
        Have the call in the store, and in it the 200.

        @param offers: whether that carries an offer of ours.
        """

    def opened(self) -> None:
        """
        The INVITE may be answered.
        """

    def failed(self, rejection: Reject) -> None:
        """
        It must be refused.
        """

    def stop(self, cause: int, reason: str) -> None:
        """
        End the call from our side.
        """

    def accept(self, transaction: IServerTransaction, response: Response) -> None:
        """
        Send a 2xx, and repeat it until the ACK.
        """

    def broken(self, failure: Failure) -> None:
        """
        Log what nobody foresaw.
        """


@define(eq=False, repr=False)
class Opening:
    """
    Opens the recording and answers the INVITE.
    """

    _around: Surroundings
    _call: Opened
    _invite: IServerTransaction
    _bodies: Bodies
    _saving: Saving
    _announcement: Announcement = field(init=False)
    _response: Response | None = field(default=None, init=False)
    _received: float = field(init=False)
    _looked: float = field(init=False)
    _announced: bool = field(default=False, init=False)

    def begin(self) -> Deferred[None]:
        """
        @return: fires when the INVITE has been answered, in whatever way.
        """
        self._received = self._looked = self._around.clock.seconds()
        self._announcement = Announcement(self._around.now, self._invite.trying)
        self._invite.defer(_LONGEST_SILENCE, self._slow)
        return Deferred.fromCoroutine(self._begin()).addErrback(self._beginFailed)

    def _slow(self) -> None:
        """
        The INVITE has had no answer for so long that it is to be told 100.
        """
        now = self._around.clock.seconds()
        late, self._looked = now - self._looked - INVITE_TRYING > _LATE, now
        # With a response the answer is being saved, and comes as soon as a 100 might.
        if self._response is None and not (late or self._announced):
            self._announced = True
            response = interrupted(self._call.dialog, self._invite.request)
            self._announcement.ask(self._saving.early(self._invite, response))

    async def _begin(self) -> None:
        call, request = self._call, self._invite.request
        timer = negotiate(request, _TIMER)
        if isinstance(timer, TooSmall):
            call.failed(Reject(422, "session interval", headers=timer.headers))
            return
        description = self._bodies.description
        if description is None:
            streams = call.negotiation.propose(expectedLabels(self._bodies.documents))
        else:
            streams = call.negotiation.begin(description)
        if not streams:
            call.failed(Reject(488, call.negotiation.refusals() or "no media"))
            return
        try:
            live = await self._record(streams)
        except (NoFreePorts, NoRoom) as error:
            log.error("{callID}: not recorded: {why}", callID=request.callID, why=str(error))
            call.failed(Reject(503, str(error), RETRY_AFTER))
            return
        call.live = live
        live.making.onFailed = lambda: call.stop(500, "noRoom")
        for note in self._bodies.notes:
            live.event("bodyIrregular", reason=note)
        if call.flow.transport not in _PRIVATE and any(each.keys for each in streams):
            live.event("srtpKeysInClear", transport=call.flow.transport)
        body = self._describe(live).serialize()
        call.noteAllowed(request)
        call.timer.agree(timer)
        self._response = ok(call.dialog, request, timer, body)
        await call.promise(self._invite, self._response, offers=description is None)
        call.opened()

    async def _record(self, streams: list[StreamRequest]) -> LiveRecording:
        """
        Begin a recording, or go on with one of the same call.

        @raise NoFreePorts: there are no ports for the streams.
        @raise NoRoom: there can be no recording.
        """
        call, around, request = self._call, self._around, self._invite.request
        advertise, bind = around.mediaHosts(call.flow)
        headers, documents = list(request.headers), list(self._bodies.documents)
        keys = keysOf(headers, documents, around.service.exclude)
        former = await around.predecessor(keys, call.flow.remote[0]) if keys else None
        if former is not None and former.snapshot is not None:
            return await around.service.join(
                former.snapshot,
                former.epoch,
                request.callID,
                headers,
                streams,
                documents,
                advertise,
                bind,
            )
        return await around.service.begin(
            callID=request.callID,
            sip=around.describe(request, call.flow),
            headers=headers,
            streams=streams,
            documents=documents,
            advertise=advertise,
            bind=bind,
            announcement=self._announcement,
        )

    def _describe(self, live: LiveRecording) -> SessionDescription:
        """
        @return: our side of the session.
        """
        return self._call.negotiation.firstAnswer(live)

    def _beginFailed(self, failure: Failure) -> None:
        """
        What nobody foresaw must leave neither an INVITE without an answer nor
        a recording that nobody ends.
        """
        self._call.broken(failure)
        self._call.failed(Reject(500, "internal error", RETRY_AFTER))
        if self._call.live is not None:
            self._around.service.finish(self._call.live, "internalError")

    def answer(self) -> None:
        """
        Send the 200.
        """
        assert self._response is not None, "it is made before the call has opened"
        self._call.accept(self._invite, self._response)
        self._count("accepted")

    def reject(self, rejection: Reject) -> None:
        """
        Refuse the INVITE.
        """
        response = refusal(
            self._call.dialog,
            self._invite.request,
            rejection.status,
            rejection.text,
            rejection.headers,
            rejection.retryAfter,
        )
        if self._response is None or self._call.live is None:
            self._invite.respond(response)
        else:
            # The 200 may be in the store by now, and must not come to life there.
            self._call.live.ending("cancelled")
            promising = Deferred.fromCoroutine(self._call.promise(self._invite, response))
            promising.addErrback(self._call.broken)
            promising.addCallback(lambda _: self._invite.respond(response))
        self._count("cancelled" if rejection.status == 487 else "rejected")

    def _count(self, result: str) -> None:
        metrics = self._around.metrics
        metrics.invites.labels(result).inc()
        metrics.answerSeconds.observe(self._around.clock.seconds() - self._received)
