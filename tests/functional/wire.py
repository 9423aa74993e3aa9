"""
SIP by hand: requests as bytes, sent from a plain UDP socket.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import DatagramProtocol

from siprec.sip.errors import BadMessage
from siprec.sip.message import Response, parseMessage
from tests.functional.node import HOST, eventually, reactor

SDP = (
    "v=0\r\no=src 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 0\r\na=label:1\r\na=sendonly\r\n"
    "m=audio 40002 RTP/AVP 0\r\na=label:2\r\na=sendonly\r\n"
)

METADATA = (
    '<?xml version="1.0" encoding="UTF-8"?>\r\n'
    '<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>complete</datamode>'
    '<session session_id="s1"/><participant participant_id="p1"><nameID aor="sip:a@b.c"/>'
    '</participant><stream stream_id="t1" session_id="s1"><label>1</label></stream>'
    '<participantstreamassoc participant_id="p1"><send>t1</send></participantstreamassoc>'
    "</recording>\r\n"
)


def multipart(metadata: bytes | str = METADATA, sdp: str = SDP) -> bytes:
    """
    @return: a body of both parts; its boundary is C{between}.
    """
    document = metadata.encode() if isinstance(metadata, str) else metadata
    return (
        b"--between\r\nContent-Type: application/sdp\r\n\r\n"
        + sdp.encode()
        + b"\r\n--between\r\nContent-Type: application/rs-metadata+xml\r\n"
        + b"Content-Disposition: recording-session\r\n\r\n"
        + document
        + b"\r\n--between--\r\n"
    )


class Wire(DatagramProtocol):
    """
    One UDP socket that talks to a node.
    """

    def __init__(self, port: int) -> None:
        self.node = (HOST, port)
        self.halves = 0
        self.received: list[tuple[float, Response]] = []
        self.port: Any = None

    def open(self) -> None:
        """
        Bind a free port.
        """
        self.port = reactor.listenUDP(0, self, interface=HOST, maxPacketSize=65535)

    def close(self) -> Any:
        """
        @return: fires when it is closed.
        """
        return self.port.stopListening()

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        try:
            message = parseMessage(datagram)
        except BadMessage:
            # The answer to half a request has only half of its headers.
            self.halves += 1
            return
        if isinstance(message, Response):
            self.received.append((reactor.seconds(), message))

    def send(self, data: bytes) -> None:
        """
        Send a datagram.
        """
        self.transport.write(data, self.node)  # type: ignore[union-attr]

    def request(
        self,
        method: str,
        callID: str,
        number: int = 1,
        branch: str | None = None,
        toTag: str | None = None,
        body: bytes = b"",
        contentType: str = "multipart/mixed;boundary=between",
    ) -> bytes:
        """
        @return: a request of a SIPREC client.
        """
        host = self.port.getHost()
        tag = f";tag={toTag}" if toTag else ""
        head = [
            f"{method} sip:srs@{HOST}:{self.node[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP {HOST}:{host.port};branch={branch or f'z9hG4bK{callID}{number}'}",
            f"From: <sip:src@{HOST}>;tag=src{callID}",
            f"To: <sip:srs@{HOST}>{tag}",
            f"Call-ID: {callID}",
            f"CSeq: {number} {method}",
            f"Contact: <sip:src@{HOST}:{host.port}>;+sip.src",
            "Require: siprec" if method == "INVITE" else "User-Agent: wire",
            "Max-Forwards: 70",
            *([f"Content-Type: {contentType}"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join([*head, "", ""]).encode() + body

    def responses(self, callID: str, method: str, status: int = 0) -> list[tuple[float, Response]]:
        """
        @param status: 0: every final one.
        @return: what came to a request, with the time it came at.
        """
        return [
            each
            for each in self.received
            if each[1].callID == callID
            and each[1].cseq.method == method
            and (each[1].status == status or (not status and each[1].status >= 200))
        ]

    async def answer(self, callID: str, method: str, status: int = 0) -> Response:
        """
        @return: the first final response.
        """
        found = await eventually(
            f"a final response to {method}",
            lambda: self.responses(callID, method, status),
            interval=0.01,
        )
        return found[0][1]

    async def hangUp(self, callID: str, toTag: str | None, number: int = 2) -> None:
        """
        End a call.
        """
        self.send(self.request("BYE", callID, number, toTag=toTag))
        await self.answer(callID, "BYE")
