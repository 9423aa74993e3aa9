"""
Tests of L{siprec.cluster.segments}.
"""

from __future__ import annotations

import os

from zope.interface.verify import verifyObject

from siprec.cluster.fetching import PIECE
from siprec.cluster.interfaces import IClusterLinks
from siprec.cluster.segments import INTERVAL
from siprec.cluster.serving import READ
from siprec.cluster.waiting import Waiting, WaitingRecordings
from tests.cluster.segmentscase import (
    FIRST,
    SECOND,
    A,
    B,
    C,
    SegmentsCase,
    documents,
    fileIn,
)
from tests.render.journals import audioOf, expected, talk, writeJournal
from tests.session.recordings import identity


class TogetherTests(SegmentsCase):
    """
    A recording is made whole.
    """

    def test_links(self) -> None:
        """
        The links of these tests are what the nodes want.
        """
        verifyObject(IClusterLinks, self.a.links)

    def test_whole(self) -> None:
        """
        What the other node has is fetched, the audio is made of all of it, and the
        other node removes its copy.  A journal that is not there either is of a stream
        on which nothing came.
        """
        self.copy()
        self.start(self.a, self.b)
        before = self.finish()
        self.assertEqual(before["state"], "incomplete")
        self.assertEqual(self.a.segments.pending, [{"id": identity(), "nodes": ["b"]}])
        self.pieces()
        manifest = self.a.manifest()
        self.assertEqual(manifest["state"], "complete")
        self.assertNotIn("missing", manifest)
        self.assertEqual(
            [each["files"] for each in manifest["segments"]], [["1-0.rtpdump"], ["2-0.rtpdump"]]
        )
        audio = audioOf(self.a.directory())
        self.assertEqual(audio[0].tolist(), expected(16000, (0, FIRST + SECOND)).tolist())
        self.assertEqual(
            self.a.files(),
            ["1-0.rtpdump", "2-0.rtpdump", "audio.wav", "metadata-1.xml", "recording.json"],
        )
        self.assertEqual((self.b.files(), self.b.markers(), self.a.marks()), ([], [], []))
        self.assertEqual(self.a.segments.pending, [])
        self.assertEqual(self.a.segments.counters["fetchedFiles"], 2)
        self.assertEqual(self.b.segments.counters["removed"], 1)

    def test_metadata(self) -> None:
        """
        Documents that the manifest names and that are not here are fetched too; one that
        is nowhere is said to be lost.
        """
        self.copy()
        self.start(self.a, self.b)
        known = documents("metadata-1.xml", "metadata-2.xml")
        self.finish(metadata=known)
        self.pieces()
        self.assertEqual(fileIn(self.a.directory(), "metadata-1.xml")[-14:], b"metadata-1.xml")
        manifest = self.a.manifest()
        self.assertEqual(manifest["state"], "complete")
        lost = [each["file"] for each in manifest["events"] if each["type"] == "metadataLost"]
        self.assertEqual(lost, ["metadata-2.xml"])

    def test_joins(self) -> None:
        """
        A node that is away is asked when it joins.
        """
        self.copy()
        self.b.links.away = True
        self.start(self.a, self.b)
        self.finish()
        self.pieces()
        self.assertEqual(self.a.manifest()["state"], "incomplete")
        self.assertEqual(self.a.marks(), [identity()])
        self.b.links.away = False
        self.a.segments.nodeJoined(B)
        self.pieces()
        self.assertEqual(self.a.manifest()["state"], "complete")

    def test_everyMinute(self) -> None:
        """
        It is also asked when the minute is over.
        """
        self.copy()
        self.b.links.away = True
        self.start(self.a, self.b)
        self.finish()
        self.b.links.away = False
        self.clock.advance(INTERVAL)
        self.pieces()
        self.assertEqual(self.a.manifest()["state"], "complete")

    def test_restart(self) -> None:
        """
        What waits is known again after a restart, and a file that came in part goes
        on where it broke off.
        """
        self.copy()
        path = os.path.join(self.b.directory(), "1-0.rtpdump")
        writeJournal(path, talk(3000))
        self.assertGreater(os.path.getsize(path), 2 * PIECE)
        self.start(self.a, self.b)
        self.finish()
        self.pieces(1)
        self.stop(self.a)
        self.assertIn("1-0.rtpdump.part", self.a.files())
        size = os.path.getsize(os.path.join(self.a.directory(), "1-0.rtpdump.part"))
        self.b.links.asked.clear()
        self.renew(self.a)
        self.start(self.a)
        self.pieces()
        offsets = [body["offset"] for kind, body in self.b.links.asked if kind == READ]
        self.assertEqual(offsets[0], size)
        self.assertGreater(size, 0)
        self.assertEqual(self.a.marks(), [])
        self.assertNotIn("1-0.rtpdump.part", self.a.files())
        self.assertNotIn("missing", self.a.manifest())

    def test_goesAway(self) -> None:
        """
        A node that goes away in the middle of a file is asked for the rest later.
        """
        self.copy()
        self.start(self.a, self.b)
        self.b.links.held = []
        self.finish()
        for _ in range(2):  # the list, and the first piece
            self.b.links.held.pop(0).callback(None)
        self.b.links.away = True
        self.pieces()
        self.assertEqual(self.a.segments.counters["failed"], 1)
        self.assertEqual(self.a.manifest()["state"], "incomplete")
        self.b.links.away, self.b.links.held = False, None
        self.clock.advance(INTERVAL)
        self.pieces()
        self.assertEqual(self.a.manifest()["state"], "complete")

    def test_silent(self) -> None:
        """
        So is one that gives no answer.
        """
        self.copy()
        self.start(self.a, self.b)
        self.b.links.held = []
        self.finish()
        self.clock.advance(120)
        self.assertEqual(self.a.segments.counters["failed"], 1)
        self.b.links.held = None
        self.clock.advance(INTERVAL)
        self.pieces()
        self.assertEqual(self.a.manifest()["state"], "complete")

    def test_stop(self) -> None:
        """
        A stop waits for no answer.
        """
        self.copy()
        self.start(self.a, self.b)
        self.b.links.held = []
        self.finish()
        self.successResultOf(self.a.segments.stopService())
        self.a.segments.nodeJoined(B)
        self.a.segments.recordingFinished(self.a.directory(), self.a.manifest())
        self.a.segments.segmentClosed(identity(), self.a.directory())
        self.assertEqual(self.a.marks(), [identity()])

    def test_givenAway(self) -> None:
        """
        A node that has given the call away does not ask for it any more.
        """
        self.copy()
        self.write(self.call(self.a.root, B, A), {"2-0.rtpdump": SECOND}, ())
        marks = WaitingRecordings(self.a.root)
        marks.open()
        marks.save(Waiting(identity(), self.a.directory(), {B}))
        self.start(self.a, self.b)
        self.pieces()
        self.assertEqual(self.b.links.asked, [])

    def test_nothingMissing(self) -> None:
        """
        A recording that is whole asks nobody, and leaves no mark.
        """
        self.start(self.a, self.b)
        self.finish(A, metadata=())
        self.assertEqual((self.a.marks(), self.b.links.asked), ([], []))
        self.assertEqual(self.a.renderer.directories, [])

    def test_nowhere(self) -> None:
        """
        Journals of which a node says that it has no such recording are missing for good:
        nobody knows whether there was anything in them.
        """
        self.start(self.a, self.b)
        self.finish()
        self.pieces()
        manifest = self.a.manifest()
        self.assertEqual(manifest["state"], "incomplete")
        self.assertEqual(len(manifest["missing"]), 1)
        self.assertEqual(self.a.marks(), [])

    def test_twoNodes(self) -> None:
        """
        Each node's part is made heard as soon as it is there, and the manifest says
        what is still missing.
        """
        c = self.makeNode(C)
        self.copy()
        self.start(self.a, self.b, c)
        c.links.away = True
        self.finish(B, C, A)
        self.pieces()
        manifest = self.a.manifest()
        # C might have what of B's is not at B.
        self.assertEqual(
            manifest["missing"],
            [
                {"segment": 1, "node": "b", "files": ["1-1.rtpdump"]},
                {"segment": 2, "node": "c", "files": ["2-0.rtpdump", "2-1.rtpdump"]},
            ],
        )
        self.assertEqual(manifest["state"], "incomplete")
        self.assertEqual(self.a.segments.pending, [{"id": identity(), "nodes": ["c"]}])
        recording = self.call(c.root, B, C)
        self.write(recording, {"2-0.rtpdump": SECOND}, ())
        c.links.away = False
        self.a.segments.nodeJoined(C)
        self.pieces()
        self.assertEqual(self.a.manifest()["state"], "complete")
        self.assertEqual((c.files(), self.a.marks()), ([], []))

    def test_unlisted(self) -> None:
        """
        A journal that its node had no time to tell of is fetched, and listed.
        """
        recording = self.copy()
        writeJournal(os.path.join(recording.directory, "1-2.rtpdump"), FIRST)
        self.start(self.a, self.b)
        self.finish()
        self.pieces()
        self.assertEqual(self.a.manifest()["segments"][0]["files"], ["1-0.rtpdump", "1-2.rtpdump"])
        self.assertEqual(self.b.files(), [])

    def test_thirdNode(self) -> None:
        """
        What the last node fetched while it had the call, and who was told, is passed on
        to the one that takes it over.
        """
        c = self.makeNode(C)
        self.start(self.a, self.b, c)
        self.write(self.call(self.a.root, B, A), {"2-0.rtpdump": SECOND, "1-0.rtpdump": FIRST}, ())
        waiting = Waiting(identity(), self.a.directory(), set(), {B: 1})
        self.stop(self.a)
        WaitingRecordings(self.a.root).save(waiting)
        self.renew(self.a)
        self.start(self.a)
        self.finish(B, A, C, node=c, metadata=())
        self.pieces()
        self.assertEqual(c.manifest()["state"], "complete")
        self.assertEqual(
            [each["files"] for each in c.manifest()["segments"]],
            [["1-0.rtpdump"], ["2-0.rtpdump"], ["3-0.rtpdump"]],
        )
        self.assertEqual((self.a.files(), self.a.marks(), c.marks()), ([], [], []))
