"""
A SIPREC session recording client (RFC 7866 section 6.1), to call recorders with.
"""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from siprec.ids import newCallID, newTag
from siprec.sip.flow import Flow
from siprec.sip.headers import Headers
from siprec.sip.interfaces import IServerTransaction, ISipTransport, ITransactionUser
from siprec.sip.layer import SipLayer
from siprec.sip.message import Request, Response, makeResponse
from siprec.sip.transport import TransportService
from siprec.sip.uri import SipURI, parseURI
from siprec.testing.call import CallFailed, Fields, RecordingCall
from siprec.testing.leg import IMediaSockets, Leg
from siprec.testing.offer import makeMetadata
from siprec.testing.rtp import MediaSockets
from siprec.testing.wire import Law


class _Default:
    """
    Metadata that fits the call.
    """


DEFAULT = _Default()


@implementer(ITransactionUser)
class RecordingClient:
    """
    Calls one recorder; may have many calls at a time.

    @ivar calls: all calls that were made, in order.
    @ivar strangers: requests that came and belong to no call.
    """

    def __init__(
        self,
        reactor: Any,
        transport: str,
        recorderHost: str,
        recorderPort: int,
        host: str = "127.0.0.1",
        sip: ISipTransport | None = None,
        openMedia: Callable[[str], IMediaSockets] = MediaSockets.open,
    ) -> None:
        """
        @param transport: C{"UDP"} or C{"TCP"}.
        @param host: IP address of ours, for signalling and media.
        @param sip: what to send by, instead of sockets of our own.
        @param openMedia: gives a pair of ports at an address.
        """
        self.clock: IReactorTime = reactor
        self.host = host
        self.calls: list[RecordingCall] = []
        self.strangers: list[Request] = []
        self._transport = transport.upper()
        address = f"[{recorderHost}]" if ":" in recorderHost else recorderHost
        suffix = "" if self._transport == "UDP" else f";transport={self._transport.lower()}"
        self.uri = f"sip:{address}:{recorderPort}{suffix}"
        self._openMedia = openMedia
        self.layer = SipLayer(self.clock, None, self)
        self._service: TransportService | None = None
        if sip is None:
            interface = host.replace(":", r"\:")
            listen = [f"{kind}:0:interface={interface}" for kind in ("udp", "tcp")]
            self._service = sip = TransportService(reactor, listen, None, self.layer)
        self.layer.transport = sip

    async def start(self) -> None:
        """
        Open our sockets.
        """
        if self._service is not None:
            self._service.startService()
            await self._service.opened()

    async def stop(self) -> None:
        """
        Close everything, without a word to the recorder.
        """
        for call in self.calls:
            call.close()
        self.layer.stop()
        if self._service is not None:
            await maybeDeferred(self._service.stopService)

    def call(self, streams: int = 2, law: Law = Law.MU) -> RecordingCall:
        """
        Prepare a call: its ports are open, but nothing is sent yet.
        """
        legs = [
            Leg(self.clock, self._openMedia(self.host), str(number + 1), law)
            for number in range(streams)
        ]
        call = RecordingCall(self, self.uri, legs)
        self.calls.append(call)
        return call

    def addStream(self, call: RecordingCall, law: Law = Law.MU) -> Leg:
        """
        Prepare one more stream of a call: its ports are open, and the next re-INVITE
        offers it.
        """
        label = str(len(call.legs) + 1)
        leg = Leg(self.clock, self._openMedia(self.host), label, law)
        call.legs.append(leg)
        return leg

    async def invite(
        self,
        streams: int = 2,
        participants: Sequence[str] = ("Ann", "Bob"),
        metadata: bytes | _Default | None = DEFAULT,
        law: Law = Law.MU,
        headers: Fields = (),
    ) -> RecordingCall:
        """
        Make a call.

        @param metadata: C{None} for a call without; by default a document with
            the participants and the streams.
        @return: the call, answered and acknowledged.
        @raise CallFailed: it was refused.
        """
        call = self.call(streams, law)
        if isinstance(metadata, _Default):
            metadata = makeMetadata(participants, [leg.label for leg in call.legs])
        response = await call.invite(metadata, headers)
        if response.status >= 300:
            call.close()
            raise CallFailed(response)
        return call

    async def options(self) -> Response:
        """
        Send an OPTIONS outside of any dialog, as clients do to see whether a
        recorder is there.
        """
        flow = await self.flowTo(self.uri)
        fields = [
            ("Max-Forwards", "70"),
            ("From", f"<sip:src@example.com>;tag={newTag()}"),
            ("To", f"<{self.uri}>"),
            ("Call-ID", newCallID()),
            ("CSeq", "1 OPTIONS"),
            ("Contact", self.contact(flow)),
        ]
        return await self.layer.sendRequest(Request("OPTIONS", self.uri, Headers(fields)), flow)

    def contact(self, flow: Flow) -> str:
        """
        @return: our Contact on a flow, with the feature tag of a client.
        """
        host, port = self.layer.transport.advertised(flow)
        address = f"[{host}]" if ":" in host else host
        suffix = "" if flow.transport == "UDP" else f";transport={flow.transport.lower()}"
        return f"<sip:src@{address}:{port}{suffix}>;+sip.src"

    def flowTo(self, uri: str) -> Deferred[Flow]:
        """
        @return: fires with a flow to a URI of the recorder.
        """
        parsed = parseURI(uri)
        if not isinstance(parsed, SipURI):
            raise ValueError(f"{uri} is not a SIP URI")
        transport = (parsed.param("transport") or "udp").upper()
        return self.layer.transport.connect(transport, parsed.host, parsed.port or 5060)

    # What the recorder sends

    def requestReceived(
        self, transaction: IServerTransaction, request: Request, flow: Flow
    ) -> None:
        """
        See L{ITransactionUser.requestReceived}.
        """
        for call in self.calls:
            if call.owns(request):
                call.requestReceived(transaction, request)
                return
        self.strangers.append(request)
        transaction.respond(makeResponse(request, 481, toTag=transaction.toTag))

    def ackReceived(self, ack: Request, flow: Flow) -> None:
        """
        See L{ITransactionUser.ackReceived}.
        """
        for call in self.calls:
            if call.owns(ack):
                call.ackReceived(ack)

    def cancelReceived(self, transaction: IServerTransaction, cancel: Request) -> None:
        """
        See L{ITransactionUser.cancelReceived}.  Nothing to do: every INVITE of
        a recorder is answered at once.
        """

    def transactionEnded(self, transaction: IServerTransaction) -> None:
        """
        See L{ITransactionUser.transactionEnded}.
        """


__all__ = ["DEFAULT", "CallFailed", "RecordingCall", "RecordingClient"]
