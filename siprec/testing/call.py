"""
One recording session, as the client that sends it sees it.
"""

from collections.abc import Sequence
from typing import Protocol

from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from siprec.ids import newCallID, newTag
from siprec.sip.dialog import Dialog
from siprec.sip.flow import Flow
from siprec.sip.headers import Headers
from siprec.sip.interfaces import IServerTransaction
from siprec.sip.layer import SipLayer
from siprec.sip.message import Request, Response, makeResponse
from siprec.testing.answers import Answers
from siprec.testing.descriptions import Descriptions, sdpOf
from siprec.testing.leg import Leg
from siprec.testing.offer import makeBody
from siprec.testing.rtp import Plan

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO"
_SDP = "application/sdp"

Fields = Sequence[tuple[str, str]]


class CallFailed(Exception):
    """
    The recorder did not take the call.

    @ivar response: its final response.
    """

    def __init__(self, response: Response) -> None:
        super().__init__(f"the recorder answered {response.status} {response.reason}")
        self.response = response


class _Surroundings(Protocol):
    """
    What a call needs of its client.
    """

    clock: IReactorTime
    layer: SipLayer
    host: str

    def contact(self, flow: Flow) -> str: ...

    def flowTo(self, uri: str) -> Deferred[Flow]: ...


@define(eq=False, repr=False)
class RecordingCall:
    """
    One recording session.

    @ivar uri: of the recorder.
    @ivar legs: the streams, in m-line order.
    @ivar invitation: the first INVITE as sent, without our Via.
    @ivar dialog: since the first 2xx.
    @ivar responses: all final responses, and repeated 2xx, in order.
    @ivar requests: all requests of the recorder, ACKs too, in order.
    @ivar refuse: status to refuse requests of the recorder with, by method, as
        some clients do; 0: they get no final response; others are accepted.
    @ivar refuseOnce: the same for the next request of a method.
    @ivar over: whether one side has said BYE.
    """

    _client: _Surroundings
    uri: str
    legs: list[Leg]
    callID: str = field(factory=newCallID)
    invitation: Request | None = field(default=None, init=False)
    dialog: Dialog | None = field(default=None, init=False)
    responses: list[Response] = field(factory=list, init=False)
    requests: list[Request] = field(factory=list, init=False)
    refuse: dict[str, int] = field(factory=dict, init=False)
    refuseOnce: dict[str, int] = field(factory=dict, init=False)
    over: bool = field(default=False, init=False)
    _ended: list[Deferred[None]] = field(factory=list, init=False)
    _media: Descriptions = field(init=False)
    _inviting: Deferred[Response] | None = field(default=None, init=False)
    _lastAck: tuple[Request, Flow] | None = field(default=None, init=False)
    _answers: Answers = field(init=False)
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._answers = Answers(self._client.clock)
        self._media = Descriptions(self._client.host, self.legs)

    # What the tester asks for

    async def invite(
        self, metadata: bytes | None = None, headers: Fields = (), ack: bool = True
    ) -> Response:
        """
        Send the first INVITE.

        @param ack: acknowledge a 2xx at once; else the tester does.
        @return: the final response, of whatever status.
        @raise CancelledError: it was cancelled.
        """
        flow = await self._client.flowTo(self.uri)
        contentType, body, more = makeBody(self._media.offer(), metadata)
        fields = [
            ("Max-Forwards", "70"),
            ("From", f"<sip:src@example.com>;tag={newTag()}"),
            ("To", f"<{self.uri}>"),
            ("Call-ID", self.callID),
            ("CSeq", "1 INVITE"),
            ("Contact", self._client.contact(flow)),
            ("Require", "siprec"),
            ("Allow", ALLOW),
            ("Accept", "application/sdp"),
            ("User-Agent", "siprec test client"),
            *([("Content-Type", contentType)] if contentType else []),
            *more,
            *headers,
        ]
        self.invitation = Request("INVITE", self.uri, Headers(fields), body)
        return await self._invite(self.invitation, flow, ack)

    async def reinvite(
        self,
        metadata: bytes | None = None,
        direction: str | None = None,
        headers: Fields = (),
        offer: bool = True,
    ) -> Response:
        """
        Send a re-INVITE, and the ACK to its 2xx.

        @param direction: C{"inactive"} pauses all streams, C{"sendonly"}
            resumes them.
        @param offer: whether there is a description in it; without, the answer
            to the recorder's offer is in the ACK.
        """
        for leg in self.legs:
            leg.direction = direction or leg.direction
        request, flow = await self._request(
            "INVITE", self._media.offer() if offer else None, metadata, headers
        )
        return await self._invite(request, flow, True)

    async def update(
        self, metadata: bytes | None = None, headers: Fields = (), offer: bool = False
    ) -> Response:
        """
        Send an UPDATE, by default with metadata only.
        """
        sdp = self._media.offer() if offer else None
        response = await self._send("UPDATE", sdp, metadata, headers)
        if offer and response.status < 300:
            self._media.take(response)
        return response

    async def options(self) -> Response:
        """
        Send an OPTIONS within the dialog.
        """
        return await self._send("OPTIONS", None, None, ())

    async def bye(self, metadata: bytes | None = None, headers: Fields = ()) -> Response:
        """
        Stop the media and end the call.
        """
        self._end()
        return await self._send("BYE", None, metadata, headers)

    async def send(self, method: str, headers: Fields = ()) -> Response:
        """
        Send any other request within the dialog, such as INFO.
        """
        return await self._send(method, None, None, headers)

    def ack(self) -> None:
        """
        Acknowledge the last 2xx (again).
        """
        if self._lastAck is None:
            raise ValueError("there is nothing to acknowledge")
        request, flow = self._lastAck
        self._client.layer.sendAck(request, flow)

    def cancel(self) -> None:
        """
        Cancel the INVITE that is waiting for its final response.
        """
        if self._inviting is not None:
            self._inviting.cancel()

    def play(
        self, payloads: Sequence[bytes | None], plan: Plan | None = None
    ) -> Deferred[list[None]]:
        """
        Send encoded audio on each stream; C{None} leaves one out.

        @return: fires when everything was sent.
        @raise NotAnswered: the recorder does not receive one of the streams.
        """
        return gatherResults(
            [
                leg.play(payload, plan)
                for leg, payload in zip(self.legs, payloads, strict=True)
                if payload is not None
            ],
            consumeErrors=True,
        )

    def whenOver(self) -> Deferred[None]:
        """
        @return: fires when one side has said BYE.
        """
        waiter: Deferred[None] = Deferred()
        self._ended.append(waiter)
        if self.over:
            self._end()
        return waiter

    def close(self) -> None:
        """
        Leave without a word: no BYE is sent.
        """
        self._end()
        for leg in self.legs:
            leg.close()

    # What the recorder sends

    def owns(self, request: Request) -> bool:
        """
        Whether a request of the recorder belongs to this call.
        """
        return self.dialog is not None and self.dialog.owns(request)

    def requestReceived(self, transaction: IServerTransaction, request: Request) -> None:
        """
        Answer a request of the recorder.
        """
        assert self.dialog is not None
        self.requests.append(request)
        self.dialog, status = self.dialog.received(request)
        if status is None:
            always = self.refuse.get(request.method)
            status = self.refuseOnce.pop(request.method, always)
        if status == 0:
            return
        if status is None and request.method == "INVITE" and self._inviting is not None:
            status = 491
        if status is not None:
            transaction.respond(self.dialog.response(request, status))
        elif request.method in ("INVITE", "UPDATE"):
            self._accept(transaction, request)
        elif request.method in ("BYE", "OPTIONS", "INFO"):
            headers = [("Allow", ALLOW)] if request.method == "OPTIONS" else []
            transaction.respond(self.dialog.response(request, 200, headers=headers))
            if request.method == "BYE":
                self._end()
        else:
            transaction.respond(makeResponse(request, 405, headers=[("Allow", ALLOW)]))

    def ackReceived(self, ack: Request) -> None:
        """
        The recorder has our 2xx.
        """
        self.requests.append(ack)
        self._media.take(ack)
        self._answers.acknowledged(ack)

    def _accept(self, transaction: IServerTransaction, request: Request) -> None:
        assert self.dialog is not None
        self.dialog = self.dialog.refreshed(request)
        sdp: bytes | None = None
        if self._media.take(request):
            sdp = self._media.answer()
        elif request.method == "INVITE":
            sdp = self._media.offer()
        contentType, body, _ = makeBody(sdp, None)
        response = self.dialog.response(request, 200, body=body, contentType=contentType)
        if request.method == "INVITE":
            self._answers.give(transaction, response)
        else:
            transaction.respond(response)

    # Requests and responses

    async def _request(
        self, method: str, sdp: bytes | None, metadata: bytes | None, headers: Fields
    ) -> tuple[Request, Flow]:
        if self.dialog is None:
            raise ValueError("the call is not answered")
        contentType, body, more = makeBody(sdp, metadata)
        self.dialog, request = self.dialog.request(
            method, headers=[*more, *headers], body=body, contentType=contentType
        )
        return request, await self._client.flowTo(self.dialog.nextHop)

    async def _send(
        self, method: str, sdp: bytes | None, metadata: bytes | None, headers: Fields
    ) -> Response:
        request, flow = await self._request(method, sdp, metadata, headers)
        response = await self._client.layer.sendRequest(request, flow)
        self.responses.append(response)
        if self.dialog is not None:
            self.dialog = self.dialog.refreshed(response)
        return response

    async def _invite(self, request: Request, flow: Flow, ack: bool) -> Response:
        self._lastAck = None
        self._inviting = self._client.layer.sendRequest(request, flow, self._repeated)
        try:
            response = await self._inviting
        finally:
            self._inviting = None
        self.responses.append(response)
        if response.status < 300:
            await self._established(request, response)
            if ack:
                self.ack()
        return response

    async def _established(self, request: Request, response: Response) -> None:
        if self.dialog is None:
            self.dialog = Dialog.fromResponse(request, response)
        else:
            self.dialog = self.dialog.refreshed(response)
        offered = sdpOf(request) is not None
        self._media.take(response)
        answer = None if offered else self._media.answer()
        flow = await self._client.flowTo(self.dialog.nextHop)
        ack = self.dialog.ack(request, body=answer or b"", contentType=None if offered else _SDP)
        self._lastAck = (ack, flow)

    def _repeated(self, response: Response) -> None:
        """
        A response that nobody waits for: provisional, or to an INVITE that is
        answered or cancelled.
        """
        if response.status < 200:
            return
        self.responses.append(response)
        if response.status >= 300:
            return
        if self._lastAck is not None:
            self.ack()
        elif self.dialog is None and self.invitation is not None:
            # The 2xx was faster than our CANCEL (RFC 3261 section 9.1).
            Deferred.fromCoroutine(self._hangUp(self.invitation, response)).addErrback(
                lambda reason: self._log.failure("the call was not ended", reason)
            )

    async def _hangUp(self, request: Request, response: Response) -> None:
        await self._established(request, response)
        self.ack()
        await self.bye()

    def _end(self) -> None:
        self.over = True
        for leg in self.legs:
            leg.stop()
        self._answers.stop()
        ended, self._ended = self._ended, []
        for waiter in ended:
            waiter.callback(None)


__all__ = ["ALLOW", "CallFailed", "RecordingCall"]
