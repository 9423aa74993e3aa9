"""
Tests of L{benchmarks.soaking}.
"""

import json
import os
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from benchmarks.soaking import GROWTH, SLACK, THREADS, Finished, State, errorsIn, problems

_STATE = State(100 << 20, 22, 8, 3)


class ProblemTests(SynchronousTestCase):
    """
    What must be as it was.
    """

    def finished(self, **states: int) -> Finished:
        """
        @return: so many in each state.
        """
        found = Finished("", True)
        found.states.update({(state, "bye"): count for state, count in states.items()})
        return found

    def test_none(self) -> None:
        """
        The same as before, or a little more memory, is no problem.
        """
        more = evolve(_STATE, memory=int(_STATE.memory * GROWTH) + SLACK, threads=8 + THREADS)
        for after in (_STATE, more, evolve(_STATE, keys=2)):
            self.assertEqual(problems(_STATE, after, 5, self.finished(complete=5), []), [])

    def test_each(self) -> None:
        """
        Anything else is one.
        """
        good = self.finished(complete=5)
        silent = self.finished(complete=5)
        silent.silent = 1
        for after, finished, errors in (
            (evolve(_STATE, memory=200 << 20), good, []),
            (evolve(_STATE, descriptors=23), good, []),
            (evolve(_STATE, threads=9 + THREADS), good, []),
            (evolve(_STATE, keys=4), good, []),
            (_STATE, self.finished(complete=4, incomplete=1), []),
            (_STATE, self.finished(complete=4), []),
            (_STATE, silent, []),
            (_STATE, good, ["Traceback"]),
        ):
            self.assertEqual(len(problems(_STATE, after, 5, finished, errors)), 1)


class FinishedTests(SynchronousTestCase):
    """
    The recordings.
    """

    def setUp(self) -> None:
        """
        Begin with none.
        """
        self.root = self.mktemp()
        self.finished = Finished(self.root, True)

    def recording(self, name: str, **manifest: Any) -> str:
        """
        @return: the folder of a recording that is old.
        """
        folder = os.path.join(self.root, "2026", name)
        os.makedirs(folder)
        path = os.path.join(folder, "recording.json")
        with open(path, "w") as file:
            json.dump({"schema": 1, "endReason": "bye", **manifest}, file)
        os.utime(path, (0, 0))
        return folder

    def test_once(self) -> None:
        """
        What is finished is counted once and removed; a stream without packets is noticed.
        """
        streams = [{"packets": 5}, {"packets": 0}]
        done = self.recording("a", state="complete", streams=streams)
        running = self.recording("b", state="recording", streams=[])
        self.finished.collect()
        self.finished.collect()
        self.assertEqual(dict(self.finished.states), {("complete", "bye"): 1})
        self.assertEqual((self.finished.count, self.finished.silent), (1, 1))
        self.assertEqual([os.path.exists(each) for each in (done, running)], [False, True])

    def test_new(self) -> None:
        """
        What was finished just now stays: the node may not be through with it.
        """
        folder = self.recording("a", state="complete", streams=[])
        os.utime(os.path.join(folder, "recording.json"))
        self.finished.collect()
        self.assertEqual(self.finished.count, 0)
        self.assertTrue(os.path.exists(folder))

    def test_broken(self) -> None:
        """
        What cannot be read is not finished.
        """
        folder = self.recording("a")
        with open(os.path.join(folder, "recording.json"), "w") as file:
            file.write("{")
        self.finished.collect()
        self.assertEqual(self.finished.count, 0)


class LogTests(SynchronousTestCase):
    """
    The node's log.
    """

    def test_errors(self) -> None:
        """
        What nobody had foreseen is found, a traceback and its first line as one.
        """
        path = self.mktemp()
        lines = ["good", "[siprec#critical] a step failed", "Traceback (most recent call last):"]
        with open(path, "w") as file:
            file.write("\n".join([*lines, *["more"] * 40, "Unhandled error in Deferred"]))
        first, second = errorsIn(path)
        self.assertTrue(first.startswith(lines[1]))
        self.assertEqual(second, "Unhandled error in Deferred")


__all__ = ["FinishedTests", "LogTests", "ProblemTests"]
