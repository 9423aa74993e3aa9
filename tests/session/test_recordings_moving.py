"""
Tests of L{siprec.session.recordings}: recordings that go to another node, and
those of others that are only finished here.
"""

from __future__ import annotations

import os

from attrs import evolve
from twisted.internet.defer import Deferred

from siprec.session.beginning import NoRoom
from siprec.session.live import LiveRecording
from siprec.session.manifest import readManifest
from siprec.session.model import CallSnapshot
from tests.session.recordings import OTHER, START, dialog, identity, session
from tests.session.servicecase import ServiceTestCase


class UndoTests(ServiceTestCase):
    """
    A recording of another node was to go on here, and does not.
    """

    def undo(self, live: LiveRecording) -> None:
        """
        Undo its going on.
        """
        self.successResultOf(Deferred.fromCoroutine(self.service.undo(live)))

    def test_nothing(self) -> None:
        """
        Neither ports, marker nor directory are left of one that was not here before;
        to undo it twice is the same as once.
        """
        for isNew in (True, False):
            live = self.begin()
            assert live.files is not None
            live.files.isNew = isNew
            self.undo(live)
            self.undo(live)
            self.assertEqual((self.ports.taken, self.markers()), ([], []))
            self.assertEqual((self.service.recordings, live.files), ({}, None))
            self.assertEqual(os.path.exists(live.recording.directory), not isNew)

    def test_error(self) -> None:
        """
        What cannot be removed is logged, and the recording is not this node's all
        the same.
        """
        live = self.begin()

        def refuse(recording: str) -> None:
            raise OSError(5, "no")

        self.patch(type(self.running), "remove", staticmethod(refuse))
        drained = self.service.drained()
        self.undo(live)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.successResultOf(drained)


class LeaveTests(ServiceTestCase):
    """
    Another node has a recording, and media may still come in here.
    """

    def leave(
        self, live: LiveRecording, linger: float = 0.0, quiet: float | None = None
    ) -> Deferred[None]:
        """
        Leave a recording.
        """
        return Deferred.fromCoroutine(self.service.leave(live, linger, quiet))

    def test_left(self) -> None:
        """
        Its segment is closed, its ports are free, its marker is gone, and
        neither is anything rendered nor its record touched.
        """
        live = self.begin()
        self.successResultOf(Deferred.fromCoroutine(self.service.save(live, dialog())))
        self.speak(live)
        written = self.manifest(live)
        self.successResultOf(self.leave(live))
        self.assertEqual((self.ports.taken, self.markers()), ([], []))
        self.assertEqual(self.service.recordings, {})
        [segment] = live.recording.segments
        self.assertEqual(segment.files, ("1-0.rtpdump", "1-1.rtpdump"))
        self.assertIsNotNone(segment.end)
        self.assertEqual(self.renderer.directories, [])
        self.assertEqual(self.successResultOf(self.store.list()), [live.recording.id])
        # The manifest is the other node's to write.
        self.assertEqual(self.manifest(live), written)

    def test_counts(self) -> None:
        """
        What was captured stays counted.
        """
        live = self.begin()
        for stream in self.capture.attached:
            stream.packets = 7
        self.successResultOf(self.leave(live))
        self.assertEqual(self.service.media("packets"), 14)

    def test_waits(self) -> None:
        """
        Until its sockets are silent the node is not drained.
        """
        live = self.begin()
        self.capture.waiting = []
        leaving = self.leave(live, 10.0, 0.5)
        self.assertEqual([quiet for _, quiet in self.capture.quiet], [0.5, 0.5])
        self.assertEqual([linger for _, linger in self.capture.detached], [10.0, 10.0])
        drained = self.service.drained()
        self.assertNoResult(drained)
        self.assertNoResult(leaving)
        for (stream, _), done in zip(self.capture.detached, self.capture.waiting, strict=True):
            done.callback(stream)
        self.successResultOf(leaving)
        self.successResultOf(drained)

    def test_markerStays(self) -> None:
        """
        A marker that cannot be removed is an error, and the recording is not
        this node's all the same.
        """
        live = self.begin()

        def refuse(recording: str) -> None:
            raise OSError(5, "no")

        self.patch(type(self.running), "remove", staticmethod(refuse))
        self.failureResultOf(self.leave(live), OSError)
        self.assertEqual(self.service.recordings, {})
        self.successResultOf(self.service.drained())

    def test_fencedMeanwhile(self) -> None:
        """
        One that has been let go of meanwhile is not counted twice.
        """
        live = self.begin()
        self.capture.waiting = []
        leaving = self.leave(live)
        del self.service.recordings[live.recording.id]
        for (stream, _), done in zip(self.capture.detached, self.capture.waiting, strict=True):
            stream.packets = 7
            done.callback(stream)
        self.successResultOf(leaving)
        self.assertEqual(self.service.media("packets"), 0)

    def test_savedNoMore(self) -> None:
        """
        A recording that has left is saved no more.
        """
        live = self.begin()
        self.successResultOf(self.leave(live))
        self.successResultOf(Deferred.fromCoroutine(self.service.save(live, dialog())))
        self.assertEqual(self.successResultOf(self.store.list()), [])


class FinishTests(ServiceTestCase):
    """
    A recording of another node whose call is over.
    """

    def setUp(self) -> None:
        super().setUp()
        recording = session(self.root, 1, segments=())
        segment = evolve(session(self.root, 1).segments[0], node=OTHER, end=START + 5)
        self.recording = evolve(recording, segments=(segment,), endTime=START + 5)

    def end(self, reason: str = "nodeDied") -> Deferred[None]:
        """
        Finish it.
        """
        snapshot = CallSnapshot(self.recording, dialog(), lastActivity=START)
        self.successResultOf(self.store.save(snapshot.key, snapshot))
        return Deferred.fromCoroutine(self.service.end(snapshot, 2, reason))

    def state(self) -> tuple[str, str]:
        """
        @return: state and reason, as the disk has it.
        """
        found = readManifest(self.recording.directory)
        return found["state"], found["endReason"]

    def test_finished(self) -> None:
        """
        It is rendered, its record is forgotten, and no port was needed.
        """
        self.successResultOf(self.end())
        self.assertEqual(self.state()[1], "nodeDied")
        self.assertEqual(self.renderer.directories, [self.recording.directory])
        self.assertEqual(self.successResultOf(self.store.list()), [])
        self.assertEqual((self.ports.claims, self.markers()), ([], []))

    def test_reason(self) -> None:
        """
        The reason that it had already stays.
        """
        self.recording = evolve(self.recording, endReason="bye")
        self.successResultOf(self.end())
        self.assertEqual(self.state()[1], "bye")

    def test_noRoom(self) -> None:
        """
        Where its files cannot be had, the record stays, too.
        """
        with open(os.path.join(self.root, "2026"), "w"):
            pass
        self.failureResultOf(self.end(), NoRoom)
        self.assertEqual(self.successResultOf(self.store.list()), [identity(1)])
        self.assertEqual(self.markers(), [identity(1)])
        self.successResultOf(self.service.drained())
