"""
The other side of the test client: a recorder that a test plays by hand.
"""

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.ids import newBranch
from siprec.sip.flow import Flow
from siprec.sip.headers import Headers
from siprec.sip.message import Request, Response, makeResponse
from siprec.testing.call import RecordingCall
from siprec.testing.client import RecordingClient
from siprec.testing.fakes import FakeSipTransport

RECORDER = ("192.0.2.9", 5060)


@define(eq=False)
class FakeMedia:
    """
    A pair of ports without sockets.
    """

    port: int
    media: list[tuple[bytes, tuple[str, int]]] = field(factory=list)
    control: list[tuple[bytes, tuple[str, int]]] = field(factory=list)
    closed: bool = False

    def sendMedia(self, data: bytes, address: tuple[str, int]) -> None:
        self.media.append((data, address))

    def sendControl(self, data: bytes, address: tuple[str, int]) -> None:
        self.control.append((data, address))

    def close(self) -> None:
        self.closed = True


def sdp(*ports: int, direction: str = "recvonly", host: str = RECORDER[0]) -> bytes:
    """
    @return: a recorder's description with a media line for each port.
    """
    lines = ["v=0", f"o=srs 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"]
    for number, port in enumerate(ports):
        lines += [f"m=audio {port} RTP/AVP 0", f"a={direction}", f"a=label:{number + 1}"]
    return "\r\n".join([*lines, ""]).encode()


class ClientTestCase(SynchronousTestCase):
    """
    A client over a fake transport.
    """

    transportName = "UDP"

    def setUp(self) -> None:
        self.clock = Clock()
        self.sip = FakeSipTransport(("192.0.2.1", 5070))
        self.media: list[FakeMedia] = []
        self.client = RecordingClient(
            self.clock, self.transportName, *RECORDER, "192.0.2.1", self.sip, self._open
        )
        self.successResultOf(self._start())
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(lambda: self.successResultOf(self._stop()))

    def _start(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self.client.start())

    def _stop(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self.client.stop())

    def _open(self, host: str) -> FakeMedia:
        self.media.append(FakeMedia(30000 + 2 * len(self.media)))
        return self.media[-1]

    @property
    def flow(self) -> Flow:
        connection = 0 if self.transportName == "UDP" else 1
        return Flow(self.transportName, self.sip.local, RECORDER, connection)

    def taken(self) -> Request:
        """
        @return: the one request that the client has sent.
        """
        [request] = self.sip.take()
        assert isinstance(request, Request)
        return request

    def answered(self) -> Response:
        """
        @return: the one response that the client has sent.
        """
        [response] = self.sip.take()
        assert isinstance(response, Response)
        return response

    def answer(self, request: Request, status: int, body: bytes = b"") -> None:
        """
        Answer a request of the client.
        """
        response = makeResponse(
            request,
            status,
            toTag="srs",
            headers=[("Contact", "<sip:srs@192.0.2.9:5060>;+sip.srs")],
            body=body,
            contentType="application/sdp" if body else None,
        )
        self.client.layer.messageReceived(response, self.flow)

    def ask(
        self, call: RecordingCall, method: str, number: int, body: bytes = b"", **more: str
    ) -> Request:
        """
        Send the client a request of the recorder.
        """
        assert call.dialog is not None
        fields = {
            "Via": f"SIP/2.0/{self.transportName} 192.0.2.9:5060;branch={newBranch()}",
            "From": f"<{call.uri}>;tag={call.dialog.remoteTag}",
            "To": f"<sip:src@example.com>;tag={call.dialog.localTag}",
            "Call-ID": call.callID,
            "CSeq": f"{number} {method}",
            "Contact": "<sip:srs@192.0.2.9:5060>;+sip.srs",
            **({"Content-Type": "application/sdp"} if body else {}),
            **more,
        }
        request = Request(method, "sip:src@192.0.2.1:5070", Headers(fields.items()), body)
        self.client.layer.messageReceived(request, self.flow)
        return request

    def established(self) -> RecordingCall:
        """
        @return: a call of two streams that the recorder has taken.
        """
        invited = Deferred.fromCoroutine(self.client.invite())
        self.answer(self.taken(), 200, sdp(40000, 40002))
        call = self.successResultOf(invited)
        self.assertEqual(self.taken().method, "ACK")
        return call
