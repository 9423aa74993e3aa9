"""
A recording while its call runs, with fake ports and a fake capture.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.parse import parseMetadata
from siprec.session.files import RecordingFiles
from siprec.session.live import Document, LiveRecording, StreamRequest
from siprec.session.model import Segment, StreamInfo
from siprec.session.taps import Taps
from siprec.testing.control import ImmediateWorkers
from siprec.testing.fakes import FakeCapture, FakePortPool
from siprec.testing.offer import makeMetadata
from tests.session.recordings import NODE, PCMU, START, session


def document(*labels: str, names: tuple[str, ...] = ("Ann", "Bob")) -> Document:
    """
    @return: a metadata document of people who send on these labels.
    """
    body = makeMetadata(names, labels)
    return Document(body, parseMetadata(body))


class LiveTestCase(SynchronousTestCase):
    """
    A recording that has begun, with fake ports and a fake capture.
    """

    def setUp(self) -> None:
        self.ports, self.capture, self.now = FakePortPool(), FakeCapture(), START
        empty: dict[str, Any] = dict.fromkeys(
            ("streams", "sessions", "participants", "metadata", "segments"), ()
        )
        empty["segments"] = (Segment(NODE, 1, START),)
        self.directory = self.mktemp()
        os.makedirs(self.directory)
        self.live = LiveRecording(
            recording=session("/r", **{**empty, "directory": self.directory}),
            node=NODE,
            advertise="203.0.113.1",
            bind="192.0.2.1",
            taps=Taps(self.ports, self.capture),
            now=lambda: self.now,
        )

    def bind(self, *labels: str) -> list[StreamInfo]:
        """
        Bind a stream for each label.
        """
        begin = len(self.live.recording.streams)
        return [
            self.live.bindStream(StreamRequest(begin + index, label, (PCMU,)))
            for index, label in enumerate(labels)
        ]

    def withFiles(self) -> None:
        """
        From now on changes go to the disk.
        """
        self.live.files = RecordingFiles(
            self.directory, ImmediateWorkers(), self.live.manifest, lambda failure: None
        )

    def stop(self, reason: str = "bye") -> None:
        """
        The call is over.
        """
        self.successResultOf(Deferred.fromCoroutine(self.live.stopCapture(0.3, reason)))
