"""
The media of one stream, as a session recording client sends it.
"""

import secrets
from collections.abc import Callable
from typing import Protocol

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from siprec.sdp.model import SessionDescription
from siprec.testing.offer import OfferedStream
from siprec.testing.rtp import Plan, RTPSender, SentPacket
from siprec.testing.wire import Law, RTPStream, packetize, senderReport

_RATE = 8000
_RECEIVING = frozenset(("recvonly", "sendrecv"))


class IMediaSockets(Protocol):
    """
    See L{siprec.testing.rtp.MediaSockets}.
    """

    @property
    def port(self) -> int: ...

    def sendMedia(self, data: bytes, address: tuple[str, int]) -> None: ...

    def sendControl(self, data: bytes, address: tuple[str, int]) -> None: ...

    def close(self) -> None: ...


class NotAnswered(Exception):
    """
    The recorder does not take this stream.
    """


def _asItIs(packet: bytes, control: bool) -> bytes:
    """
    Nothing is protected.
    """
    return packet


@define(eq=False, repr=False)
class Leg:
    """
    One stream.

    @ivar direction: what we offer, C{"sendonly"} or C{"inactive"}.
    @ivar remote: where the recorder receives RTP; C{None} if it does not.
    @ivar remoteControl: where it receives RTCP.
    @ivar refused: whether the recorder gave port 0 to it.
    @ivar ssrc: our synchronization source.
    @ivar crypto: the value of our C{a=crypto}; empty: it is sent in the clear.
    @ivar cover: makes of a packet, and whether it is RTCP, what is sent in its place.
    @ivar sent: every RTP packet that was sent, in order.
    """

    _clock: IReactorTime
    _sockets: IMediaSockets
    label: str
    law: Law = Law.MU
    direction: str = "sendonly"
    ssrc: int = field(factory=lambda: secrets.randbits(32))
    remote: tuple[str, int] | None = field(default=None, init=False)
    remoteControl: tuple[str, int] | None = field(default=None, init=False)
    refused: bool = field(default=False, init=False)
    crypto: str = field(default="", init=False)
    cover: Callable[[bytes, bool], bytes] = field(default=_asItIs, init=False)
    sent: list[SentPacket] = field(factory=list, init=False)
    # Below 2**15, so that nobody has to guess how often it wrapped (RFC 3711
    # section 3.3.1).
    _sequence: int = field(factory=lambda: secrets.randbits(15), init=False)
    _timestamp: int = field(factory=lambda: secrets.randbits(32), init=False)
    _began: float | None = field(default=None, init=False)
    _sender: RTPSender | None = field(default=None, init=False)

    @property
    def port(self) -> int:
        """
        Our RTP port.
        """
        return self._sockets.port

    def offered(self) -> OfferedStream:
        """
        This stream as it stands in our descriptions.
        """
        return OfferedStream(self.label, self.port, self.law, self.direction, self.crypto)

    def answered(self) -> OfferedStream:
        """
        This stream in an answer to the recorder's last offer (RFC 3264
        section 6): what it does not receive we do not send.
        """
        direction = self.direction if self.remote is not None else "inactive"
        port = 0 if self.refused else self.port
        return OfferedStream(self.label, port, self.law, direction, self.crypto)

    def take(self, description: SessionDescription, index: int) -> None:
        """
        Send to where the recorder says from now on.
        """
        self.remote = self.remoteControl = None
        self.refused = index >= len(description.media) or description.media[index].port == 0
        if self.refused:
            return
        media, address = description.media[index], description.address(index)
        if address is None or address.null:
            return
        if description.direction(index) in _RECEIVING:
            control = (media.attribute("rtcp") or "").partition(" ")[0]
            self.remote = (address.address, media.port)
            self.remoteControl = (
                address.address,
                int(control) if control.isdigit() else media.port + 1,
            )

    def play(self, payload: bytes, plan: Plan | None = None) -> Deferred[None]:
        """
        Send encoded audio, a packet each 20 ms.  While the stream is paused
        nothing is sent, and the sequence numbers jump (CONFORMANCE J3).

        @return: fires when all was sent or L{stop} was called.
        @raise NotAnswered: the recorder does not receive this stream.
        """
        if self.remote is None:
            raise NotAnswered(f"stream {self.label} is not received by the recorder")
        self.stop()
        stream = RTPStream(
            self.ssrc, self.law.payloadType, self._sequence, self._now() & 0xFFFFFFFF
        )
        packets = stream.packets(packetize(payload))
        self._sequence = (self._sequence + len(packets)) & 0xFFFF
        sender = RTPSender(self._clock, self._sendMedia, packets, plan=plan or Plan())
        # One list for the whole life of the stream.
        sender.sent = self.sent
        self._sender = sender
        return sender.start()

    def stop(self) -> None:
        """
        Send no more of what is being played.
        """
        if self._sender is not None:
            self._sender.stop()

    def report(self, unixTime: float, cname: str = "src@example.com") -> None:
        """
        Send an RTCP sender report.

        @raise NotAnswered: the recorder does not receive this stream.
        """
        if self.remoteControl is None:
            raise NotAnswered(f"stream {self.label} is not received by the recorder")
        octets = sum(len(each.data) - 12 for each in self.sent)
        report = senderReport(self.ssrc, unixTime, self._now(), len(self.sent), octets, cname)
        self._sockets.sendControl(self.cover(report, True), self.remoteControl)

    def close(self) -> None:
        """
        Stop and give the ports back.
        """
        self.stop()
        self._sockets.close()

    def _now(self) -> int:
        """
        @return: the timestamp of this moment.
        """
        if self._began is None:
            self._began = self._clock.seconds()
        return self._timestamp + round((self._clock.seconds() - self._began) * _RATE)

    def _sendMedia(self, data: bytes) -> bool:
        if self.remote is None or self.direction == "inactive":
            return False
        self._sockets.sendMedia(self.cover(data, False), self.remote)
        return True


__all__ = ["IMediaSockets", "Leg", "NotAnswered"]
