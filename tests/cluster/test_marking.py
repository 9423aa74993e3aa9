"""
Tests of L{siprec.cluster.marking}.
"""

from __future__ import annotations

import os
from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.marking import Marking
from siprec.cluster.waiting import WaitingRecordings
from siprec.ids import NodeID, RecordingID
from siprec.session.manifest import Manifest, describe
from siprec.session.model import Segment
from tests.session.recordings import START, HeldWorkers, identity, session

A, B, C = NodeID("a"), NodeID("b"), NodeID("c")


class MarkingTests(SynchronousTestCase):
    """
    Which recordings have nodes to ask.
    """

    def setUp(self) -> None:
        self.root = os.path.abspath(self.mktemp())
        self.workers = HeldWorkers()
        self.live: set[RecordingID] = set()
        self.marking = self.made()
        self.do(self.marking.open())
        self.directory = session(self.root).directory
        os.makedirs(self.directory)

    def made(self) -> Marking:
        """
        @return: what a node has after a start.
        """
        marks = WaitingRecordings(self.root)
        return Marking(marks, self.workers, A, lambda identity: identity in self.live)

    def begin(self, work: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        """
        Begin something.
        """
        return Deferred.fromCoroutine(work)

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """
        Do something.
        """
        done = self.begin(work)
        while self.workers.work():
            pass
        return self.successResultOf(done)

    def manifest(self, *files: str) -> Manifest:
        """
        @return: of a recording of which C{b} had the first segment.
        """
        segments = (Segment(B, 1, START, START + 1, files), Segment(A, 2, START + 1, START + 2))
        return describe(session(self.root, segments=segments, metadata=()))

    def marked(self) -> list[str]:
        """
        @return: what is on the disk.
        """
        return sorted(set(os.listdir(os.path.join(self.root, ".missing"))) - {"root"})

    def test_see(self) -> None:
        """
        A recording that lacks something is remembered with the nodes to ask, across a
        restart.
        """
        waiting = self.do(self.marking.see(self.directory, self.manifest("1-0.rtpdump")))
        self.assertEqual(waiting.ask, {B})
        again = self.made()
        self.do(again.open())
        for each in (self.marking, again):
            self.assertEqual(each.pending, [{"id": identity(), "nodes": ["b"]}])
            self.assertEqual([one.id for one in each.of(B)], [identity()])
            self.assertEqual(each.of(C), [])

    def test_whole(self) -> None:
        """
        One that lacks nothing is not.
        """
        self.assertIsNone(self.do(self.marking.see(self.directory, self.manifest())))
        self.assertEqual((self.marked(), self.marking.pending), ([], []))

    def test_told(self) -> None:
        """
        A node from which all was fetched is not asked again; the recording is known.
        """
        self.live.add(identity())
        self.do(self.marking.note(identity(), self.directory, B))
        (waiting,) = self.marking.of(B)
        waiting.learn(B, True, {}, 2)
        waiting.ask.clear()
        self.do(self.marking.settle(waiting))
        self.assertEqual(self.marked(), [identity()])
        seen = self.do(self.marking.see(self.directory, self.manifest("1-0.rtpdump")))
        self.assertIs(seen, waiting)
        self.assertEqual((seen.ask, self.marking.pending), (set(), []))

    def test_settled(self) -> None:
        """
        What has nobody left to ask is forgotten, with what came of files in part.
        """
        self.do(self.marking.note(identity(), self.directory, B))
        with open(os.path.join(self.directory, "1-0.rtpdump.part"), "w"):
            pass
        (waiting,) = self.marking.of(B)
        self.do(self.marking.settle(waiting))
        self.assertEqual(self.marked(), [identity()])
        waiting.ask.clear()
        self.do(self.marking.settle(waiting))
        self.assertEqual((self.marked(), self.marking.waiting), ([], {}))
        self.assertEqual(os.listdir(self.directory), [])

    def test_atTheSameTime(self) -> None:
        """
        What is noted while a recording is being forgotten is not lost.
        """
        self.do(self.marking.note(identity(), self.directory, B))
        (waiting,) = self.marking.of(B)
        waiting.ask.clear()
        settling = self.begin(self.marking.settle(waiting))
        self.do(self.marking.note(identity(), self.directory, C))
        self.successResultOf(settling)
        self.assertEqual(self.marked(), [identity()])
        self.assertEqual(self.marking.pending, [{"id": identity(), "nodes": ["c"]}])

    def test_notWritten(self) -> None:
        """
        If a mark cannot be written, the recording is known at least until a restart.
        """
        os.mkdir(os.path.join(self.root, ".missing", f"{identity()}.new"))
        done = self.begin(self.marking.note(identity(), self.directory, B))
        while self.workers.work():
            pass
        self.failureResultOf(done, OSError)
        self.assertEqual(self.marking.pending, [{"id": identity(), "nodes": ["b"]}])
