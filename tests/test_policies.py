"""
Tests of L{siprec.policies}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from siprec.config import loadSettings
from siprec.policies import takeUp, withPolicies
from tests.uas.house import House


class PolicyTests(SynchronousTestCase):
    """
    What can change while calls run.
    """

    def setUp(self) -> None:
        self.house = House(os.path.abspath(self.mktemp()))
        self.addCleanup(self.house.close)
        self.before = loadSettings(None, {"node.id": "one"})
        self.now = loadSettings(
            None,
            {
                "node.id": "two",
                "sip.profile": "strict",
                "sip.srtp": "require",
                "sip.max_sessions": 7,
                "sip.not_ready": "inactive",
                "recordings.min_free": 5,
                "recordings.mask_dtmf": True,
                "metadata.exclude": ["X-*"],
                "metadata.mask": ["[0-9]+"],
                "metadata.snapshot_request": "never",
            },
        )

    def test_takeUp(self) -> None:
        """
        Recorder and recordings have them at once.
        """
        recorder, sessions = self.house.recorder, self.house.service
        takeUp(self.now, recorder, sessions)
        self.assertEqual((recorder.profile, recorder.maxSessions), ("strict", 7))
        self.assertEqual(recorder.srtp, "require")
        self.assertTrue(recorder.waits)
        self.assertEqual((sessions.minFree, sessions.exclude), (5, ("X-*",)))
        self.assertEqual(sessions.mask.text("12"), "**")
        self.assertEqual(sessions.mask.pressed("1"), {"digit": None, "masked": True})
        takeUp(self.before, recorder, sessions)
        self.assertFalse(recorder.waits)

    def test_others(self) -> None:
        """
        The others stay as they were.
        """
        held = withPolicies(self.before, self.now)
        self.assertEqual(held.node, self.before.node)
        self.assertEqual(held.sip, self.now.sip)
        self.assertEqual(held.metadata.exclude, ("X-*",))
        self.assertEqual(held.metadata.snapshotRequest, "lost")
