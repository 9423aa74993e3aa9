"""
A node's recordings on a temporary folder, with fakes around it.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.metrics import Metrics
from siprec.session.equipment import Equipment
from siprec.session.live import Document, LiveRecording, StreamRequest
from siprec.session.manifest import Manifest, readManifest
from siprec.session.recordings import Recordings
from siprec.session.running import RunningRecordings
from siprec.testing.control import ImmediateWorkers
from siprec.testing.fakes import FakeCapture, FakePortPool
from tests.render.journals import talk, writeJournal
from tests.session.recordings import NODE, PCMU, START, FakeRenderer, FakeStore


def metric(metrics: Metrics, name: str) -> float:
    """
    @return: the value of a metric, its labels included in C{name}.
    """
    for line in metrics.exposition().decode().splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[-1])
    return 0.0


class ServiceTestCase(SynchronousTestCase):
    """
    The service runs; what it needs is under the test's control.
    """

    def setUp(self) -> None:
        self.root = os.path.abspath(self.mktemp())
        self.clock, self.metrics = Clock(), Metrics("1.2.3", NODE)
        self.clock.advance(START)
        self.ports, self.capture = FakePortPool(), FakeCapture()
        self.renderer, self.store = FakeRenderer(), FakeStore()
        self.workers: Any = ImmediateWorkers()
        self.running = RunningRecordings(self.root, NODE)
        self.running.acquire()
        self.addCleanup(self.running.release)
        self.service = self.makeService()
        self.service.startService()
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(lambda: self.service.stopService())

    def makeService(self) -> Recordings:
        """
        @return: a service with the test's surroundings.
        """
        return Recordings(
            Equipment(
                node=NODE,
                root=self.root,
                store=self.store,
                ports=self.ports,
                capture=self.capture,
                renderer=self.renderer,
                workers=self.workers,
                running=self.running,
                clock=self.clock,
                now=self.clock.seconds,
                metrics=self.metrics,
            ),
            minFree=1,
        )

    def restart(self) -> None:
        """
        Go on with a new service, since the surroundings are others now.
        """
        self.service.stopService()
        self.service = self.makeService()
        self.service.startService()

    def beginning(self, *documents: Document, streams: int = 2) -> Deferred[LiveRecording]:
        """
        @return: fires when a recording has begun.
        """
        begin = self.service.begin(
            callID="call-1",
            sip={"from": "<sip:src@example.com>", "headers": {}},
            headers=[],
            streams=[StreamRequest(index, str(index + 1), (PCMU,)) for index in range(streams)],
            documents=list(documents),
            advertise="203.0.113.1",
            bind="192.0.2.1",
        )
        return Deferred.fromCoroutine(begin)

    def begin(self, *documents: Document, streams: int = 2) -> LiveRecording:
        """
        @return: a recording that has begun.
        """
        return self.successResultOf(self.beginning(*documents, streams=streams))

    def speak(self, live: LiveRecording, seconds: float = 1.0) -> None:
        """
        Let packets come on every stream.
        """
        for stream in live.taps.handles():
            packets = talk(round(seconds * 50))
            writeJournal(stream.path, packets)
            captured = self.capture.attached[live.taps.handles().index(stream)]
            captured.packets = len(packets)
            captured.firstArrival = START
            captured.lastArrival = START + packets[-1].arrival
        self.clock.advance(seconds)

    def markers(self) -> list[str]:
        """
        @return: the ids of what is marked as unfinished.
        """
        return sorted(os.listdir(os.path.join(self.root, ".running", NODE)))

    def left(self) -> list[str]:
        """
        @return: all files of recordings, relative to the root.
        """
        return sorted(
            os.path.relpath(os.path.join(folder, name), self.root)
            for folder, _, names in os.walk(self.root)
            for name in names
            if ".running" not in folder
        )

    def manifest(self, live: LiveRecording) -> Manifest:
        """
        @return: what is on the disk.
        """
        return readManifest(live.recording.directory)

    def finish(self, live: LiveRecording, reason: str = "bye") -> Manifest:
        """
        End a recording.

        @return: what is on the disk then.
        """
        self.successResultOf(self.service.finish(live, reason))
        return self.manifest(live)

    def count(self, name: str) -> float:
        """
        @return: the value of a metric.
        """
        return metric(self.metrics, name)
