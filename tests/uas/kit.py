"""
A client that calls the recorder, message by message.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from attrs import define, evolve, field
from twisted.trial.unittest import SynchronousTestCase

from siprec.ids import newBranch
from siprec.sdp.model import SessionDescription
from siprec.sdp.parse import parseSDP
from siprec.sip.flow import Flow
from siprec.sip.headers import Headers
from siprec.sip.message import Request, Response, makeResponse
from siprec.testing.offer import OfferedStream, describe, makeBody, makeMetadata
from siprec.testing.wire import Law
from tests.uas.house import House

PEER = "192.0.2.7"
ONE = OfferedStream("1", 40000)
TWO = OfferedStream("2", 40002, Law.A)
THREE = OfferedStream("3", 40004)
METADATA = makeMetadata(["Ann", "Bob"], ["1", "2"])


def offer(*streams: OfferedStream, version: int = 1, host: str = PEER) -> bytes:
    """
    @return: a session description of the client's.
    """
    return describe(host, streams or (ONE, TWO), 77, version).serialize()


def sdp(message: Request | Response) -> SessionDescription:
    """
    @return: the description that a message of the recorder carries.
    """
    assert message.contentType is not None and message.contentType[0] == "application/sdp"
    return parseSDP(message.body)


def lines(message: Request | Response) -> list[tuple[int, str, str | None]]:
    """
    @return: port, direction and label of each m-line of the recorder's.
    """
    description = sdp(message)
    return [
        (media.port, description.direction(index), media.label)
        for index, media in enumerate(description.media)
    ]


_UDP = Flow("UDP", ("192.0.2.1", 5060), (PEER, 5060))


@define(eq=False)
class Src:
    """
    A session recording client: one dialog of it.

    @ivar tag: the parameter of From.
    @ivar toTag: the recorder's tag, since its first 2xx.
    @ivar last: the INVITE that was sent last.
    """

    house: House
    flow: Flow = _UDP
    callID: str = f"one@{PEER}"
    contact: str = f"<sip:src@{PEER}:5060>;+sip.src"
    tag: str = ";tag=theirs"
    toTag: str | None = field(default=None, init=False)
    cseq: int = field(default=0, init=False)
    last: Request | None = field(default=None, init=False)

    @classmethod
    def overTCP(cls, house: House, port: int = 33000) -> Src:
        """
        @param port: that its connection comes from; it listens at 5060.
        """
        return cls(house, Flow("TCP", ("192.0.2.1", 5060), (PEER, port), 900))

    def make(
        self,
        method: str,
        *headers: tuple[str, str],
        body: tuple[bytes | None, bytes | None] = (None, None),
        without: Sequence[str] = (),
        cseq: int | None = None,
    ) -> Request:
        """
        @param headers: more of them; one that there is already is replaced.
        @param body: description and metadata.
        @param without: names of headers to leave out.
        @param cseq: instead of the next number.
        """
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        contentType, data, more = makeBody(*body)
        tag = f";tag={self.toTag}" if self.toTag else ""
        fields = Headers(
            [
                ("Via", f"SIP/2.0/{self.flow.transport} {PEER}:5060;branch={newBranch()}"),
                ("Max-Forwards", "70"),
                ("From", f"<sip:src@{PEER}>{self.tag}"),
                ("To", f"<sip:srs@192.0.2.1>{tag}"),
                ("Call-ID", self.callID),
                ("CSeq", f"{cseq} {method}"),
                *more,
            ]
        )
        if method in ("INVITE", "UPDATE"):
            fields = fields.adding("Contact", self.contact).adding("Require", "siprec")
        if contentType is not None:
            fields = fields.adding("Content-Type", contentType)
        for name, value in headers:
            fields = fields.replacing(name, value)
        return Request(method, "sip:srs@192.0.2.1", fields.without(*without), data)

    def send(self, request: Request) -> list[Request | Response]:
        """
        @return: what the recorder sent at once.
        """
        if request.method == "INVITE":
            self.last = request
        return self.house.feed(request, self.flow)

    def ask(self, request: Request) -> Response:
        """
        @return: the only thing that the recorder sent at once: a response.
        """
        [response] = self.send(request)
        assert isinstance(response, Response)
        return response

    def invite(
        self,
        *headers: tuple[str, str],
        sdp: bytes | None = None,
        metadata: bytes | None = METADATA,
    ) -> Response:
        """
        Send the first INVITE, of two streams if not said otherwise.
        """
        response = self.ask(self.make("INVITE", *headers, body=(sdp or offer(), metadata)))
        if response.status < 300:
            self.toTag = response.toTag
        return response

    def ack(self, *, body: tuple[bytes | None, bytes | None] = (None, None)) -> None:
        """
        Acknowledge the 2xx to the last INVITE.
        """
        assert self.last is not None
        sent = self.send(self.make("ACK", body=body, cseq=self.last.cseq.number))
        assert not sent, sent

    def call(self, *headers: tuple[str, str], **bodies: bytes | None) -> Response:
        """
        L{invite} and L{ack}.

        @return: the 200.
        """
        response = self.invite(*headers, **bodies)
        assert response.status == 200, response
        self.ack()
        return response

    def reinvite(
        self, *headers: tuple[str, str], sdp: bytes | None, metadata: bytes | None = None
    ) -> Response:
        """
        Send a re-INVITE, and the ACK to its 2xx.
        """
        response = self.ask(self.make("INVITE", *headers, body=(sdp, metadata)))
        if response.status < 300:
            self.ack()
        return response

    def update(
        self,
        *headers: tuple[str, str],
        sdp: bytes | None = None,
        metadata: bytes | None = None,
    ) -> Response:
        """
        Send an UPDATE.
        """
        return self.ask(self.make("UPDATE", *headers, body=(sdp, metadata)))

    def bye(self, *headers: tuple[str, str], metadata: bytes | None = None) -> Response:
        """
        End the call.
        """
        return self.ask(self.make("BYE", *headers, body=(None, metadata)))

    def cancel(self) -> list[Request | Response]:
        """
        Cancel the last INVITE.
        """
        assert self.last is not None
        kept = [
            (name, value)
            for name, value in self.last.headers
            if name in ("Via", "Max-Forwards", "From", "To", "Call-ID")
        ]
        cseq = ("CSeq", f"{self.last.cseq.number} CANCEL")
        return self.send(Request("CANCEL", self.last.uri, Headers([*kept, cseq])))

    def answer(
        self, request: Request, status: int = 200, *headers: tuple[str, str], body: bytes = b""
    ) -> list[Request | Response]:
        """
        Answer a request of the recorder.
        """
        contentType = "application/sdp" if body else None
        response = makeResponse(
            request, status, headers=headers, body=body, contentType=contentType
        )
        return self.house.feed(response, self.flow)


class RecorderTestCase(SynchronousTestCase):
    """
    One L{House} and one L{Src}; after each test the clock must be empty.
    """

    def setUp(self) -> None:
        self.house = House(os.path.abspath(self.mktemp()))
        self.src = Src(self.house)
        self.addCleanup(self._close)

    def _close(self) -> None:
        self.house.close()
        self.assertEqual(self.house.clock.getDelayedCalls(), [])
        self.assertEqual(self.house.ports.taken, [])
        self.assertEqual(self.house.layer.counters["unhandledErrors"], 0)

    def blockDirectory(self) -> None:
        """
        Put a file where the directories of the day would be.
        """
        with open(os.path.join(self.house.root, "2026"), "w"):
            pass

    def warned(self, response: Response, text: str) -> None:
        """
        Assert that the Warning for people says this.
        """
        self.assertIn(text, response.headers.get("Warning") or "")

    def only(self, messages: list[Request | Response], method: str) -> Request:
        """
        @return: the only message, which is a request of this method.
        """
        [message] = messages
        assert isinstance(message, Request)
        self.assertEqual(message.method, method)
        return message


def renamed(stream: OfferedStream, label: str) -> OfferedStream:
    """
    @return: the stream with another label.
    """
    return evolve(stream, label=label)
