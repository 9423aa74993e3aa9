"""
Tests of L{siprec.cluster.lacks}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.lacks import isFinal, lackOf, settled, wantedOf
from siprec.ids import NodeID
from siprec.session.manifest import Manifest, formatTime

A, B, C = NodeID("a"), NodeID("b"), NodeID("c")


def manifest(*segments: tuple[str, list[str]], **more: Any) -> Manifest:
    """
    @return: what is needed of a manifest.
    """
    listed = [{"node": node, "files": files} for node, files in segments]
    return {
        "state": "incomplete",
        "endReason": "bye",
        "segments": listed,
        "metadata": [],
        "events": [],
        **more,
    }


class LackTests(SynchronousTestCase):
    """
    What is not here.
    """

    recording = manifest(
        ("b", ["1-0.rtpdump", "1-1.rtpdump"]),
        ("a", ["2-0.rtpdump"]),
        ("b", ["3-0.rtpdump"]),
        ("c", []),
        metadata=[{"file": "metadata-1.xml"}, {"file": "metadata-2.xml"}],
    )

    def test_lack(self) -> None:
        """
        Journals of others that are not here are lacking, and all documents that are
        not; those of this node are nobody else's.
        """
        lack = lackOf(self.recording, {"1-1.rtpdump", "metadata-1.xml"}, A)
        self.assertEqual(lack.journals, ("1-0.rtpdump", "3-0.rtpdump"))
        self.assertEqual(lack.documents, ("metadata-2.xml",))
        self.assertEqual(lack.nodes, {B: 3, C: 4})

    def test_asks(self) -> None:
        """
        All other nodes that had the recording are asked, but those from which all was
        fetched after their last segment.
        """
        lack = lackOf(self.recording, (), A)
        self.assertEqual(lack.asks({}), {B, C})
        self.assertEqual(lack.asks({B: 2, C: 4}), {B})
        self.assertEqual(lack.asks({B: 3, C: 4}), set())
        self.assertEqual(lackOf(manifest(("a", ["1-0.rtpdump"])), (), A).asks({}), set())

    def test_nothing(self) -> None:
        """
        Of what is all here nobody is asked.
        """
        self.assertEqual(lackOf(manifest(("b", [])), (), A).asks({}), set())

    def test_wanted(self) -> None:
        """
        What the manifest names is wanted, and what it does not know of a segment of
        another node; not what is here, nor journals with the number of one's own.
        """
        offered = [
            *("1-0.rtpdump", "1-1.rtpdump", "1-7.rtpdump", "2-0.rtpdump", "2-5.rtpdump"),
            *("9-0.rtpdump", "metadata-1.xml", "metadata-3.xml"),
        ]
        self.assertEqual(
            wantedOf(self.recording, {"1-1.rtpdump", "2-0.rtpdump"}, A, offered),
            ["1-0.rtpdump", "1-7.rtpdump", "metadata-1.xml"],
        )

    def test_final(self) -> None:
        """
        Final is what was finished here.
        """
        self.assertTrue(isFinal(manifest()))
        self.assertTrue(isFinal(manifest(state="complete")))
        for state in ("recording", "finishing"):
            self.assertFalse(isFinal(manifest(state=state)))
        self.assertFalse(isFinal(manifest(endReason="takenOver")))


class SettledTests(SynchronousTestCase):
    """
    A manifest is brought up to date.
    """

    recording = manifest(
        ("b", ["1-0.rtpdump", "1-1.rtpdump"]),
        ("a", ["2-0.rtpdump", "2-1.rtpdump"]),
        metadata=[{"file": "metadata-1.xml"}],
    )

    def files(self, *args: Any) -> list[list[str]]:
        """
        @return: the files of each segment.
        """
        return [each["files"] for each in settled(self.recording, *args)["segments"]]

    def test_dropped(self) -> None:
        """
        A journal that its node does not have is dropped once nobody is left to be asked;
        one of this node's is not: it was here.
        """
        there = {"1-0.rtpdump", "2-0.rtpdump"}
        self.assertEqual(
            self.files(there, A, {B: 2}, 5.0),
            [["1-0.rtpdump"], ["2-0.rtpdump", "2-1.rtpdump"]],
        )
        for told, now in (({}, 5.0), ({B: 2}, None)):
            self.assertEqual(self.files(there, A, told, now)[0], ["1-0.rtpdump", "1-1.rtpdump"])

    def test_added(self) -> None:
        """
        One that came and was not listed is.
        """
        there = {"1-2.rtpdump", "1-0.rtpdump", "1-1.rtpdump"}
        self.assertEqual(
            self.files(there, A, {}, None)[0], ["1-0.rtpdump", "1-1.rtpdump", "1-2.rtpdump"]
        )

    def test_lost(self) -> None:
        """
        A document that nobody has is lost, once.
        """
        before = settled(self.recording, (), A, {}, None)
        self.assertEqual(before["events"], [])
        once = settled(self.recording, (), A, {}, 5.0)
        event = {"time": formatTime(5.0), "type": "metadataLost", "file": "metadata-1.xml"}
        self.assertEqual(once["events"], [event])
        self.assertEqual(settled(once, (), A, {}, 6.0), once)
        self.assertEqual(settled(self.recording, {"metadata-1.xml"}, A, {}, 5.0)["events"], [])
