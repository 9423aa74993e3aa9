"""
RTP packets sent at their pace, over a network that can be made bad.
"""

import random
import socket
from collections.abc import Callable, Sequence

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure


@frozen
class Plan:
    """
    What happens to packets on their way; the same seed, the same fate.

    @ivar loss: share of the packets that never arrive, 0 to 1.
    @ivar duplicate: share of the others that arrive twice.
    @ivar reorder: share of the others that arrive after their successor.
    """

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    seed: int = 0

    def transmissions(self, count: int) -> list[tuple[int, int]]:
        """
        @param count: how many packets there are.
        @return: (slot, packet) in the order of sending, both from 0; a slot
            is the time that one packet plays.
        """
        chance = random.Random(self.seed)
        found: list[tuple[int, int, int]] = []
        for number in range(count):
            lost, twice, late = (chance.random() for _ in range(3))
            if lost < self.loss:
                continue
            moved = late < self.reorder
            # In its slot, the late one comes after the packet that belongs there.
            place = (number + 1, 1, number) if moved else (number, 0, number)
            found += [place] * (2 if twice < self.duplicate else 1)
        return [(slot, number) for slot, _, number in sorted(found)]


@frozen
class SentPacket:
    """
    @ivar time: the clock's seconds when it was sent.
    @ivar number: position in the stream, from 0.
    """

    time: float
    number: int
    data: bytes


@define(eq=False, repr=False)
class RTPSender:
    """
    Sends packets, each at its time.  What sends one says whether it did: a
    packet whose time comes while a stream is paused is never sent.

    @ivar sent: what was sent, in order.
    """

    _clock: IReactorTime
    _send: Callable[[bytes], bool]
    _packets: Sequence[bytes]
    _interval: float = 0.02
    _plan: Plan = field(factory=Plan)
    sent: list[SentPacket] = field(factory=list, init=False)
    _left: list[tuple[int, int]] = field(init=False)
    _started: float = field(default=0.0, init=False)
    _call: IDelayedCall | None = field(default=None, init=False)
    _done: Deferred[None] | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._left = self._plan.transmissions(len(self._packets))[::-1]

    @property
    def running(self) -> bool:
        """
        Whether packets are still to be sent.
        """
        return self._done is not None

    def start(self) -> Deferred[None]:
        """
        Send the first packet now and the others after it.

        @return: fires when the last one has been sent or L{stop} was called;
            fails with C{OSError} if one cannot be sent.
        """
        done: Deferred[None] = Deferred()
        self._done, self._started = done, self._clock.seconds()
        self._turn()
        return done

    def stop(self) -> None:
        """
        Send no more.
        """
        if self._call is not None:
            self._call.cancel()
        self._finish(None)

    def _turn(self) -> None:
        self._call = None
        # Counted from the start: a late turn catches up, and no error adds up.
        while self._left and self._due(self._left[-1][0]) <= self._clock.seconds() + 1e-6:
            number = self._left.pop()[1]
            try:
                sent = self._send(self._packets[number])
            except OSError:
                self._finish(Failure())
                return
            if sent:
                self.sent.append(SentPacket(self._clock.seconds(), number, self._packets[number]))
        if self._left:
            delay = max(0.0, self._due(self._left[-1][0]) - self._clock.seconds())
            self._call = self._clock.callLater(delay, self._turn)
        else:
            self._finish(None)

    def _due(self, slot: int) -> float:
        return self._started + slot * self._interval

    def _finish(self, result: Failure | None) -> None:
        self._call = None
        done, self._done = self._done, None
        if done is not None:
            done.callback(result)


@define(eq=False, repr=False)
class MediaSockets:
    """
    A peer's pair of sockets for one stream: RTP on an even port, RTCP on the
    odd one after it (RFC 3550 section 11).
    """

    host: str
    rtp: socket.socket
    rtcp: socket.socket

    @classmethod
    def open(cls, host: str, tries: int = 100) -> "MediaSockets":
        """
        @param host: an IP address of this machine.
        @raise OSError: no free pair was found.
        """
        for _ in range(tries):
            rtp = _bound(host, 0)
            port = rtp.getsockname()[1]
            if port % 2 == 0:
                try:
                    return cls(host, rtp, _bound(host, port + 1))
                except OSError:  # the odd one is taken
                    pass
            rtp.close()
        raise OSError(f"no free pair of ports on {host}")

    @property
    def port(self) -> int:
        """
        The RTP port.
        """
        return int(self.rtp.getsockname()[1])

    def sendMedia(self, data: bytes, address: tuple[str, int]) -> None:
        """
        @raise OSError: the network refuses it.
        """
        self.rtp.sendto(data, address)

    def sendControl(self, data: bytes, address: tuple[str, int]) -> None:
        """
        @raise OSError: the network refuses it.
        """
        self.rtcp.sendto(data, address)

    def close(self) -> None:
        """
        Give the ports back.
        """
        self.rtp.close()
        self.rtcp.close()


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


__all__ = ["MediaSockets", "Plan", "RTPSender", "SentPacket"]
