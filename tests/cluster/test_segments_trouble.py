"""
Tests of L{siprec.cluster.segments}: when something goes wrong, and while the call goes on.
"""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred

from siprec.cluster.errors import LinkLost
from siprec.cluster.segments import INTERVAL
from siprec.cluster.serving import DONE, LIST
from siprec.session.interfaces import RendererStopped
from tests.cluster.segmentscase import (
    SECOND,
    A,
    B,
    SegmentsCase,
)
from tests.session.recordings import identity


class TroubleTests(SegmentsCase):
    """
    Something is not as it should be at the node that fetches.
    """

    def test_diskFull(self) -> None:
        """
        The room that calls need is not filled; later there may be more.
        """
        self.copy()
        self.start(self.a, self.b)
        self.a.recordings.disk.free = 1500
        self.finish()
        self.pieces()
        self.assertEqual(self.a.segments.counters["failed"], 1)
        self.assertEqual(self.a.files(), ["2-0.rtpdump", "audio.wav", "recording.json"])
        self.a.recordings.disk.free = 10**9
        self.clock.advance(INTERVAL)
        self.pieces()
        self.assertEqual(self.a.manifest()["state"], "complete")

    def test_rendererFails(self) -> None:
        """
        A rendering that fails is told, and not tried again: all files are here.
        """
        self.copy()
        self.start(self.a, self.b)
        self.finish()
        self.a.renderer.failure = ValueError("no")
        self.pieces()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        manifest = self.a.manifest()
        self.assertEqual(manifest["state"], "incomplete")
        self.assertNotIn("missing", manifest)
        self.assertEqual(manifest["events"][-1]["type"], "renderFailed")
        self.assertEqual(self.a.marks(), [])

    def test_rendererStopped(self) -> None:
        """
        If the node stops meanwhile, the next start renders it.
        """
        self.copy()
        self.start(self.a, self.b)
        self.finish()
        self.a.renderer.waiting = []
        self.pieces()
        self.a.renderer.waiting[0].errback(RendererStopped())
        self.assertEqual(self.a.marks(), [identity()])
        self.stop(self.a)
        self.a.renderer.waiting = None
        self.renew(self.a)
        self.start(self.a)
        self.pieces()
        self.assertEqual(self.a.manifest()["state"], "complete")

    def test_stopWaits(self) -> None:
        """
        A stop waits for the rendering, which the renderer ends.
        """
        self.copy()
        self.start(self.a, self.b)
        self.finish()
        self.a.renderer.waiting = []
        self.pieces()
        stopped = self.a.segments.stopService()
        self.assertNoResult(stopped)
        self.a.renderer.waiting[0].errback(RendererStopped())
        self.successResultOf(stopped)

    def test_damagedManifest(self) -> None:
        """
        A manifest that cannot be read any more costs a line in the log.
        """
        self.copy()
        self.b.links.away = True
        self.start(self.a, self.b)
        self.finish()
        with open(os.path.join(self.a.directory(), "recording.json"), "w") as file:
            file.write("{")
        self.b.links.away = False
        self.a.segments.nodeJoined(B)
        self.assertEqual(self.a.segments.counters["failed"], 1)
        self.assertEqual(self.a.marks(), [identity()])

    def test_noMarks(self) -> None:
        """
        If the folder for the marks cannot be made, the next turn tries again; until
        then nothing is fetched.
        """
        self.copy()
        path = os.path.join(self.a.root, ".missing")
        with open(path, "w"):
            pass
        self.start(self.a, self.b)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.finish()
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        os.unlink(path)
        self.clock.advance(INTERVAL)
        self.pieces()
        self.assertEqual(self.a.manifest()["state"], "complete")

    def test_sharedDirectory(self) -> None:
        """
        A node with the same recordings directory has nothing that is not here, and
        removes nothing.
        """
        self.stop(self.b)
        b = self.makeNode(B, self.a.root)
        self.start(self.a, b)
        self.finish(metadata=())
        self.pieces()
        self.assertEqual([kind for kind, _ in b.links.asked], [LIST])
        self.assertEqual(self.a.files(), ["2-0.rtpdump", "audio.wav", "recording.json"])
        self.assertEqual((self.a.marks(), self.a.manifest()["state"]), ([], "incomplete"))

    def test_doneIsRepeated(self) -> None:
        """
        A node that does not hear that all was fetched is told again.
        """
        self.copy()
        self.start(self.a, self.b)

        def lost(answer: object) -> None:
            raise LinkLost("broken")

        self.b.links.spoil[DONE] = lost
        self.finish()
        self.pieces()
        self.assertEqual(self.a.manifest()["state"], "complete")
        self.assertEqual(self.a.marks(), [identity()])
        del self.b.links.spoil[DONE]
        self.clock.advance(INTERVAL)
        self.pieces()
        self.assertEqual((self.a.marks(), self.b.files()), ([], []))

    def test_liveThere(self) -> None:
        """
        A node that still writes is asked later, and nothing is taken for missing.
        """
        recording = self.copy()
        self.b.live(recording)
        self.start(self.a, self.b)
        self.finish()
        self.pieces()
        self.assertEqual([kind for kind, _ in self.b.links.asked], [LIST])
        self.assertEqual(self.a.marks(), [identity()])
        self.b.recordings.recordings.clear()
        self.clock.advance(INTERVAL)
        self.pieces()
        self.assertEqual(self.a.manifest()["state"], "complete")


class LiveTests(SegmentsCase):
    """
    The call goes on at C{a} while C{b} offers what it has.
    """

    def setUp(self) -> None:
        super().setUp()
        self.copy()
        self.start(self.a, self.b)
        recording = self.call(self.a.root, B, A)
        self.write(recording, {"2-0.rtpdump": SECOND}, ())
        self.a.live(recording)

    def test_offered(self) -> None:
        """
        It is fetched at once, so that a node that drains need not wait for the end of
        the call; nothing is rendered.
        """
        self.b.segments.segmentClosed(identity(), self.b.directory())
        waited = Deferred.fromCoroutine(self.b.segments.offered(self.clock.seconds() + 30))
        self.assertNoResult(waited)
        self.pieces(20)
        self.successResultOf(waited)
        self.assertIn("1-0.rtpdump", self.a.files())
        self.assertEqual((self.b.files(), self.a.renderer.directories), ([], []))
        self.assertEqual(self.a.segments.pending, [])
        # The mark remembers who was told.
        self.assertEqual(self.a.marks(), [identity()])
        self.b.links.away = True
        self.a.recordings.recordings.clear()
        self.finish()
        manifest = self.a.manifest()
        self.assertEqual((manifest["state"], self.a.marks()), ("complete", []))
        self.assertEqual(manifest["segments"][0]["files"], ["1-0.rtpdump"])

    def test_finishedInBetween(self) -> None:
        """
        If the call ends while that is being fetched, the recording is made anew.
        """
        self.b.links.held = []
        self.b.segments.segmentClosed(identity(), self.b.directory())
        self.finish()
        for _ in range(20):
            for each in self.b.links.held:
                if not each.called:
                    each.callback(None)
            self.pieces(1)
        self.assertEqual(self.a.manifest()["state"], "complete")
        self.assertEqual(self.a.marks(), [])

    def test_notTheirs(self) -> None:
        """
        Who does not have the recording does not care.
        """
        self.a.recordings.recordings.clear()
        self.b.segments.segmentClosed(identity(), self.b.directory())
        self.pieces()
        self.assertEqual([kind for kind, _ in self.b.links.asked], [])
        self.assertEqual(self.a.marks(), [])
