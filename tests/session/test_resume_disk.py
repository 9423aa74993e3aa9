"""
Tests of L{siprec.session.resume}: whose disk it is.
"""

from __future__ import annotations

import os
import shutil

from attrs import evolve
from twisted.logger import capturedLogs

from siprec.session.model import Segment
from tests.session.recordings import NODE, OTHER, START
from tests.session.test_resume import ResumeTestCase


class DiskTests(ResumeTestCase):
    """
    What is known of the journals of earlier segments.
    """

    def test_directoryGone(self) -> None:
        """
        A directory that is gone, or with another node, is made again, and it is said
        what is missing.
        """
        shutil.rmtree(self.directory)
        live = self.resume()
        manifest = self.finish(live)
        names = ["1-0.rtpdump", "1-1.rtpdump"]
        self.assertEqual(manifest["segments"][0]["files"], names)
        self.assertEqual(manifest["state"], "incomplete")
        self.assertEqual(manifest["missing"], [{"segment": 1, "node": NODE, "files": names}])
        events = {each["type"]: each for each in manifest["events"]}
        self.assertEqual(events["metadataLost"]["file"], "metadata-1.xml")

    def test_nothing(self) -> None:
        """
        If it cannot go on after all, nothing is left of a directory that was made for
        it; one that cannot be removed is told.
        """
        [segment] = self.snapshot.recording.segments
        self.change(segments=(evolve(segment, node=OTHER),))
        shutil.rmtree(self.directory)
        self.die()
        self.running.remove(self.snapshot.recording.id)
        self.capture.failure = ValueError("no")
        self.failureResultOf(self.resuming(), ValueError)
        self.assertEqual((os.path.exists(self.directory), self.markers()), (False, []))

        def refuse(recording: str) -> None:
            raise OSError(5, "no")

        self.patch(type(self.running), "remove", staticmethod(refuse))
        with capturedLogs() as logs:
            self.failureResultOf(self.resuming(), ValueError)
        self.assertIn("not removed", logs[-1]["log_format"])

    def test_notNew(self) -> None:
        """
        One that was there stays, with its marker.
        """
        self.die()
        self.capture.failure = ValueError("no")
        self.failureResultOf(self.resuming(), ValueError)
        self.assertIn("recording.json", os.listdir(self.directory))
        self.assertEqual(self.markers(), [self.snapshot.recording.id])

    def test_noPacketBefore(self) -> None:
        """
        Where the manifest shows that it is the other node's disk, a stream without a
        journal is one on which nothing came.
        """
        os.unlink(self.path("1-0.rtpdump"))
        os.unlink(self.path("1-1.rtpdump"))
        live = self.resume()
        self.assertEqual(live.recording.segments[0].files, ())
        self.assertEqual(self.finish(live)["state"], "complete")

    def test_oneDiskOfTwo(self) -> None:
        """
        On a disk that has an earlier segment, but not the last one, the journals of
        that are known all the same; so are those of a segment that has been ended.
        """
        [first] = self.snapshot.recording.segments
        second = Segment(OTHER, 2, START + 2, files=("2-0.rtpdump", "2-1.rtpdump"))
        self.change(segments=(evolve(first, end=START + 2), second))
        os.unlink(self.path("1-1.rtpdump"))
        live = self.resume()
        self.assertEqual(
            [each.files for each in live.recording.segments],
            [
                ("1-0.rtpdump", "1-1.rtpdump"),
                ("2-0.rtpdump", "2-1.rtpdump"),
                ("3-0.rtpdump", "3-1.rtpdump"),
            ],
        )
        files = [each["files"] for each in self.finish(live)["missing"]]
        self.assertEqual(files, [["1-1.rtpdump"], ["2-0.rtpdump", "2-1.rtpdump"]])

    def test_damagedManifest(self) -> None:
        """
        A manifest that cannot be read tells nothing, and hinders nobody.
        """
        for text in ("{", '{"schema": 1}', '{"schema": 1, "segments": [7]}'):
            with open(self.path("recording.json"), "w") as file:
                file.write(text)
            live = self.resume()
            self.assertEqual(live.recording.segments[0].files, ("1-0.rtpdump", "1-1.rtpdump"))
