"""
Tests of L{siprec.cluster.waiting}.
"""

from __future__ import annotations

import json
import os
from typing import Any

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.waiting import Waiting, WaitingRecordings
from siprec.ids import NodeID
from tests.session.recordings import identity, session

A, B = NodeID("a"), NodeID("b")


class WaitingTests(SynchronousTestCase):
    """
    Marks on the disk.
    """

    def setUp(self) -> None:
        self.root = os.path.abspath(self.mktemp())
        self.marks = WaitingRecordings(self.root)

    def waiting(self, number: int = 0, **more: Any) -> Waiting:
        """
        @return: a recording with a folder.
        """
        directory = session(self.root, number).directory
        os.makedirs(directory, exist_ok=True)
        return Waiting(identity(number), directory, **more)

    def path(self, name: str) -> str:
        """
        @return: of a mark.
        """
        return os.path.join(self.root, ".missing", name)

    def test_name(self) -> None:
        """
        The directory gets a name once; all that open it find the same one, and another
        directory has another one.
        """
        self.assertFalse(self.marks.isThere())
        self.marks.open()
        other = WaitingRecordings(self.root)
        other.open()
        self.assertEqual(self.marks.name, other.name)
        self.assertEqual(len(self.marks.name), 32)
        self.assertEqual(os.listdir(self.path("")), ["root"])
        apart = WaitingRecordings(os.path.abspath(self.mktemp()))
        apart.open()
        self.assertNotEqual(apart.name, other.name)

    def test_unmounted(self) -> None:
        """
        It shows if the directory is not the one that was opened.
        """
        self.marks.open()
        self.assertTrue(self.marks.isThere())
        os.rename(self.root, f"{self.root}.away")
        self.assertFalse(self.marks.isThere())
        WaitingRecordings(self.root).open()
        self.assertFalse(self.marks.isThere())

    def test_damagedName(self) -> None:
        """
        A name that is none is not guessed.
        """
        os.makedirs(self.path(""))
        with open(self.path("root"), "wb") as file:
            file.write(b"\xff")
        self.assertRaises(OSError, self.marks.open)
        self.assertFalse(self.marks.isThere())

    def test_saved(self) -> None:
        """
        A mark says which nodes are to be asked, and which were told.
        """
        self.marks.open()
        one = self.waiting(1, ask={A, B}, told={B: 2})
        self.marks.save(one)
        self.marks.save(self.waiting(0))
        zero, read = self.marks.load()
        self.assertEqual((zero.id, zero.ask, zero.told), (identity(0), set(), {}))
        self.assertEqual((read.directory, read.ask, read.told), (one.directory, one.ask, one.told))
        for _ in range(2):
            self.marks.remove(one.id)
        self.assertEqual([each.id for each in self.marks.load()], [identity(0)])

    def test_directoryGone(self) -> None:
        """
        A recording that was deleted waits for nothing.
        """
        self.marks.open()
        waiting = self.waiting()
        self.marks.save(waiting)
        os.rmdir(waiting.directory)
        self.assertEqual(self.marks.load(), [])
        self.assertEqual(os.listdir(self.path("")), ["root"])

    def test_damaged(self) -> None:
        """
        Marks that make no sense, or lead out of the directory, are passed over.
        """
        self.marks.open()
        good = {"directory": "2026", "ask": ["a"], "told": {"b": 1}}
        wrongs: list[dict[str, Any]] = [
            {"directory": "../x"},
            {"directory": 1},
            {"ask": ["/"]},
            {"ask": 1},
            {"told": {"b": "x"}},
            {"told": []},
        ]
        bad = [
            b"",
            b"[]",
            b"\xff",
            *(json.dumps({**good, **wrong}).encode() for wrong in wrongs),
        ]
        for number, data in enumerate(bad):
            with open(self.path(identity(number)), "wb") as file:
                file.write(data)
        with capturedLogs() as events:
            self.assertEqual(self.marks.load(), [])
        self.assertEqual(len(events), len(bad))

    def test_learn(self) -> None:
        """
        What was told is never forgotten, and never more than there is.
        """
        waiting = Waiting(identity(), "/r", told={A: 3})
        waiting.learn(B, True, {A: 2}, 4)
        self.assertEqual(waiting.told, {A: 3, B: 4})
        waiting.learn(B, False, {A: 9}, 5)
        self.assertEqual(waiting.told, {A: 5, B: 4})
