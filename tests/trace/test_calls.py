"""
Tests of L{siprec.trace.calls}.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from siprec.testing.control import ImmediateWorkers
from siprec.trace.calls import CallFinder, UnknownCall
from tests.callparts import LivePart
from tests.session.recordings import session


class FinderTests(SynchronousTestCase):
    """
    Call-IDs of sessions.
    """

    def setUp(self) -> None:
        self.root = os.path.abspath(self.mktemp())
        self.running: list[Any] = []
        self.finder = CallFinder(lambda: self.running, self.root, ImmediateWorkers())

    def unknown(self, text: str) -> None:
        """
        Assert that there is no such call.
        """
        error = self.failureResultOf(self.finder.find(text), UnknownCall).value
        self.assertIn(f"{text}: neither a recording of this node", str(error))

    def test_running(self) -> None:
        """
        What runs is known by its recording's id and by its communication sessions.
        """
        recording = session(self.root)
        self.running.append(LivePart(recording))
        for text in (recording.id, *recording.sessions):
            found = self.successResultOf(self.finder.find(text))
            self.assertEqual(found, {recording.callID})
        self.assertTrue(recording.sessions)

    def test_over(self) -> None:
        """
        What is over is looked for in the archive.
        """
        recording = session(self.root)
        self.unknown(recording.id)
        os.makedirs(recording.directory)
        for content in ("{}", "nonsense", '{"schema": 1}'):
            self.write(recording.directory, content)
            self.unknown(recording.id)
        self.write(recording.directory, '{"schema": 1, "callID": "theirs"}')
        self.assertEqual(self.successResultOf(self.finder.find(recording.id)), {"theirs"})

    def write(self, folder: str, content: str) -> None:
        """
        Write a manifest.
        """
        with open(f"{folder}/recording.json", "w") as file:
            file.write(content)

    def test_nonsense(self) -> None:
        """
        Anything else is unknown, whatever it is.
        """
        for text in ("x", "../../etc/passwd", "\0"):
            self.unknown(text)
