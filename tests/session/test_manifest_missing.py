"""
Tests of L{siprec.session.manifest}: what is with another node.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from siprec.session.manifest import describe, isWhole, withRendering
from siprec.session.model import Segment
from tests.session.recordings import NODE, OTHER, START, session
from tests.session.test_manifest import KEYS

RENDERING = {"duration": 2.5, "streams": [], "gaps": [], "events": [], "audio": None}


class MissingTests(SynchronousTestCase):
    """
    Journals that are with another node.
    """

    segments = (
        Segment(NODE, 1, START, START + 1, ("1-0.rtpdump", "1-1.rtpdump")),
        Segment(OTHER, 2, START + 1, START + 2, ("2-0.rtpdump", "2-1.rtpdump")),
    )

    def test_missing(self) -> None:
        """
        They are listed by segment and node, and the recording is incomplete whatever
        its state would be.
        """
        before = describe(session("/r", segments=self.segments, endReason="bye"))
        rendering = {**RENDERING, "missing": ["2-1.rtpdump", "2-0.rtpdump"]}
        for state in ("complete", None):
            manifest = withRendering(before, rendering, state)
            self.assertEqual(manifest.keys(), KEYS | {"missing"})
            self.assertEqual(
                manifest["missing"],
                [{"segment": 2, "node": OTHER, "files": ["2-0.rtpdump", "2-1.rtpdump"]}],
            )
            self.assertEqual(manifest["state"], "incomplete")
            self.assertFalse(isWhole(manifest))
        self.assertNotIn("missing", before)

    def test_fetched(self) -> None:
        """
        When they are there, rendering again makes it complete.
        """
        before = describe(session("/r", segments=self.segments, endReason="bye"))
        rendering = {**RENDERING, "missing": ["2-1.rtpdump"]}
        lacking = withRendering(before, rendering)
        manifest = withRendering(lacking, {**rendering, "missing": []})
        self.assertEqual(manifest.keys(), KEYS)
        self.assertEqual(manifest["state"], "complete")
        self.assertTrue(isWhole(manifest))

    def test_otherwiseIncomplete(self) -> None:
        """
        That does not make up for what else is missing.
        """
        died = {"time": START, "type": "recovered"}
        before = describe(session("/r", segments=self.segments, events=(died,)))
        self.assertEqual(withRendering(before, RENDERING)["state"], "incomplete")
