"""
Tests of L{siprec.cluster.completing}.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred

from siprec.cluster.completing import Completing, look, namesIn
from siprec.cluster.waiting import Waiting
from siprec.session.interfaces import RendererStopped
from siprec.session.manifest import BadManifest, writeManifest
from siprec.testing.control import ImmediateWorkers
from tests.cluster.segmentscase import FIRST, A, B, SegmentsCase
from tests.render.journals import writeJournal
from tests.session.recordings import identity


class CompletingTests(SegmentsCase):
    """
    C{a} has a recording of which it lacks the first segment.
    """

    def setUp(self) -> None:
        super().setUp()
        self.finish(metadata=())
        self.waiting = Waiting(identity(), self.a.directory())
        self.completing = Completing(A, self.a.renderer, ImmediateWorkers(), self.clock.seconds)

    def run_(self, last: bool = True) -> Deferred[None]:
        """
        Bring it up to date.
        """
        return Deferred.fromCoroutine(self.completing.run(self.waiting, last=last))

    def came(self, name: str = "1-0.rtpdump") -> None:
        """
        Put a journal there.
        """
        writeJournal(os.path.join(self.a.directory(), name), FIRST)

    def test_nothingNew(self) -> None:
        """
        If nothing has come, nothing is rendered or written.
        """
        before = os.stat(os.path.join(self.a.directory(), "recording.json")).st_mtime_ns
        for last in (True, False):
            self.successResultOf(self.run_(last))
        self.assertEqual(self.a.renderer.directories, [])
        after = os.stat(os.path.join(self.a.directory(), "recording.json")).st_mtime_ns
        self.assertEqual(after, before)

    def test_some(self) -> None:
        """
        What is still missing is named.
        """
        self.came()
        self.successResultOf(self.run_(last=False))
        manifest = self.a.manifest()
        missing = [{"segment": 1, "node": "b", "files": ["1-1.rtpdump"]}]
        self.assertEqual((manifest["state"], manifest["missing"]), ("incomplete", missing))
        self.assertEqual(self.completing.counters["incomplete"], 1)

    def test_all(self) -> None:
        """
        When nobody is left to be asked, what their nodes do not have was never there.
        """
        self.came()
        self.waiting.told[B] = 1
        self.successResultOf(self.run_())
        manifest = self.a.manifest()
        self.assertEqual(manifest["state"], "complete")
        self.assertEqual(manifest["segments"][0]["files"], ["1-0.rtpdump"])
        self.assertEqual(self.completing.counters["completed"], 1)

    def test_interrupted(self) -> None:
        """
        What a crash has kept from being rendered is, the next time.
        """
        self.came()
        self.waiting.told[B] = 1
        self.a.renderer.failure = RendererStopped()
        self.failureResultOf(self.run_(), RendererStopped)
        self.assertEqual(self.a.manifest()["state"], "incomplete")
        self.a.renderer.failure = None
        self.successResultOf(self.run_())
        self.assertEqual(self.a.manifest()["state"], "complete")

    def test_fails(self) -> None:
        """
        A rendering that fails is told in the manifest with what is missing, once.
        """
        self.came()
        self.a.renderer.failure = ValueError("no")
        for _ in range(2):
            self.successResultOf(self.run_())
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        manifest = self.a.manifest()
        self.assertEqual(manifest["missing"][0]["files"], ["1-1.rtpdump"])
        self.assertEqual(manifest["events"][-1]["type"], "renderFailed")
        self.assertEqual(self.completing.counters["notRendered"], 1)

    def test_notFinal(self) -> None:
        """
        What is not finished, or not this node's, is left alone.
        """
        good = self.a.manifest()
        self.came()
        for changes in ({"state": "recording"}, {"endReason": "takenOver"}):
            writeManifest(self.a.directory(), {**good, **changes})
            self.successResultOf(self.run_())
            self.assertEqual(self.a.manifest(), {**good, **changes})

    def test_damaged(self) -> None:
        """
        A manifest that makes no sense is not one.
        """
        good = self.a.manifest()
        wrong: list[dict[str, Any]] = [{"segments": None}, {"metadata": [{}]}, {"segments": [{}]}]
        for changes in wrong:
            writeManifest(self.a.directory(), {**good, **changes})
            self.assertRaises(BadManifest, look, self.a.directory())
            self.failureResultOf(self.run_(), BadManifest)

    def test_diskFull(self) -> None:
        """
        If the manifest cannot be written, the old one is still there.
        """
        self.came()
        before = self.a.manifest()
        os.mkdir(os.path.join(self.a.directory(), "recording.json.new"))
        self.addCleanup(os.rmdir, os.path.join(self.a.directory(), "recording.json.new"))
        self.failureResultOf(self.run_(), OSError)
        self.assertEqual(self.a.manifest(), before)

    def test_names(self) -> None:
        """
        All files count.
        """
        self.assertEqual(
            namesIn(self.a.directory()), {"2-0.rtpdump", "audio.wav", "recording.json"}
        )
