"""
Tests of L{benchmarks.results}.
"""

import os

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.figures import Figure, Report
from benchmarks.results import keep, machine, pathOf, read, write

_FACTS = {"name": "A Host", "processor": "Some CPU @ 2 GHz", "processors": 2}


class ResultsTests(SynchronousTestCase):
    """
    Where results are kept.
    """

    def report(self, value: float) -> Report:
        """
        @return: one with a figure.
        """
        return Report(dict(_FACTS), [Figure("a", value, "ms")])

    def test_machine(self) -> None:
        """
        The name of the file is made of what the figures depend on, whatever is in it.
        """
        self.assertEqual(pathOf(_FACTS, "f"), os.path.join("f", "a-host-some-cpu-2-ghz-2.json"))
        self.assertGreaterEqual(machine()["processors"], 1)
        self.assertTrue(machine()["processor"])

    def test_newestTwo(self) -> None:
        """
        The newest results are kept, and those before them.
        """
        folder = self.mktemp()
        for value in (1.0, 2.0, 3.0):
            path = keep(self.report(value), folder)
        self.assertEqual(len(os.listdir(folder)), 2)
        self.assertEqual(read(path).value("a"), 3.0)
        self.assertEqual(read(pathOf(_FACTS, folder, "-before")).value("a"), 2.0)

    def test_unreadable(self) -> None:
        """
        A file that is none of results is a ValueError, and none an OSError.
        """
        path = self.mktemp()
        self.assertRaises(OSError, read, path)
        for text in ("[]", "{}", "no JSON"):
            with open(path, "w") as file:
                file.write(text)
            self.assertRaises(ValueError, read, path)

    def test_noNumber(self) -> None:
        """
        What is no number is not written: no other program could read it.
        """
        path = self.mktemp()
        self.assertRaises(ValueError, write, self.report(float("nan")), path)
        self.assertFalse(os.path.exists(path))


__all__ = ["ResultsTests"]
