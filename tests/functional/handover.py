"""
One of two nodes that hand their ports to each other.
"""

from __future__ import annotations

import os
import time

from attrs import define, field

from siprec.media.batch import Receiver
from siprec.media.capture import CapturedStream, CaptureThread
from siprec.media.ports import PortPool
from tests.media.fakes import ThreadedClock

#: Seconds of silence after which the ports are closed.
QUIET = 0.02


@define(eq=False)
class Node:
    """
    Ports and capture of a process.
    """

    directory: str
    pool: PortPool = field(factory=lambda: PortPool(24000, 24999, time.monotonic, 0.0))
    reactor: ThreadedClock = field(factory=ThreadedClock)
    capture: CaptureThread = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.capture = CaptureThread(
            self.reactor, 0.01, onError=lambda stream, error: None, receiver=Receiver(1024)
        )
        self.capture.startService()

    def begin(self, name: str, host: str, count: int) -> list[CapturedStream]:
        """
        Capture at ports of our own.
        """
        pairs = [self.pool.allocate(host) for _ in range(count)]
        return [self.capture.attach(each, self._path(name, each.rtpPort)) for each in pairs]

    def claim(self, name: str, host: str, ports: list[int]) -> list[CapturedStream]:
        """
        Capture at ports that another process shares.
        """
        pairs = [self.pool.claim(host, port, shared=True) for port in ports]
        return [self.capture.attach(each, self._path(name, each.rtpPort)) for each in pairs]

    def share(self, streams: list[CapturedStream]) -> None:
        """
        Let the other process claim the ports.
        """
        for each in streams:
            self.pool.share(each.pair)

    def divert(self, streams: list[CapturedStream]) -> None:
        """
        Have the other process get the packets.
        """
        for each in streams:
            self.pool.divert(each.pair)

    def end(self, streams: list[CapturedStream]) -> None:
        """
        Capture what has come, and close the ports.
        """
        ends = [self.capture.detachWhenQuiet(each, QUIET) for each in streams]
        # The clock does not go on by itself: the visits of the capture do.
        while self.reactor.getDelayedCalls():
            seen = self.capture.counters.cycles
            while self.capture.counters.cycles < seen + 4:
                os.sched_yield()
            self.reactor.advance(QUIET + 0.011)
        for end, each in zip(ends, streams, strict=True):
            self.reactor.waitFor(end)
            self.pool.release(each.pair)

    def close(self) -> None:
        """
        Stop the capture.
        """
        self.reactor.waitFor(self.capture.stopService())

    def _path(self, name: str, port: int) -> str:
        return os.path.join(self.directory, f"{name}-{port}.rtpdump")
