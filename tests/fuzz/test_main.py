"""
Tests for L{tests.fuzz.__main__}.
"""

from __future__ import annotations

import io
import os
import sys
import time

from twisted.trial.unittest import SynchronousTestCase

from tests.fuzz import __main__ as program
from tests.fuzz.parsers import PARSERS


class FuzzTests(SynchronousTestCase):
    """
    A short run, and what it finds.
    """

    def setUp(self) -> None:
        self.output = io.StringIO()
        self.patch(sys, "stdout", self.output)
        self.found = self.mktemp()
        self.patch(program, "_FOUND", self.found)

    def test_everyParser(self) -> None:
        """
        What is kept, and some hundred more inputs, make no parser fail.
        """
        for name, parse in PARSERS.items():
            outcome = program.fuzz(parse, program.inputs(program.Portion(name, 300, 7)))
            broken = [why for _, why in outcome.failures if not why.endswith(" ms")]
            self.assertEqual(broken, [], name)
            self.assertGreater(outcome.count, 300)

    def test_summary(self) -> None:
        """
        The run says how many inputs there were, and which was the slowest.
        """
        self.assertEqual(program.main(["--inputs", "20", "--jobs", "1", "uri", "header"]), 0)
        said = self.output.getvalue()
        self.assertRegex(said, r"uri: 25 inputs, \d+ a second and process, the slowest \d")
        self.assertRegex(said, r"52 inputs with seed 0 in 0 s, \d+ a second, 0 failures")

    def test_portions(self) -> None:
        """
        Inputs are divided, and each portion is another one; the corpus is in
        the first.
        """
        self.patch(program, "PORTION", 30)
        found = list(program.portions("uri", 70, 5))
        self.assertEqual([(each.count, each.number) for each in found], [(30, 0), (30, 1), (10, 2)])
        made = [list(program.inputs(each)) for each in found]
        self.assertEqual([len(each) for each in made], [35, 30, 10])
        self.assertNotEqual(made[0][5:15], made[2])
        self.assertEqual(list(program.inputs(found[1])), made[1])
        self.assertEqual([each.count for each in program.portions("uri", 0, 5)], [0])

    def test_outcomes(self) -> None:
        """
        What the processes have found is one outcome.
        """
        one = program.Outcome(3, (0.2, b"a"), [(b"x", "why")], 1.0)
        one.add(program.Outcome(4, (0.1, b"b"), [(b"y", "why")], 2.0))
        self.assertEqual((one.count, one.slowest, one.spent), (7, (0.2, b"a"), 3.0))
        self.assertEqual(len(one.failures), 2)

    def test_failure(self) -> None:
        """
        An input on which a parser fails is kept, and told of.
        """

        def broken(data: bytes) -> None:
            raise ZeroDivisionError

        self.patch(program, "PARSERS", {"uri": broken})
        self.assertEqual(program.main(["--inputs", "1", "--jobs", "1", "uri"]), 1)
        self.assertIn("ZeroDivisionError", self.output.getvalue())
        self.assertEqual(len(os.listdir(f"{self.found}/uri")), 6)

    def test_slow(self) -> None:
        """
        One that takes long is a failure as well.
        """

        def slow(data: bytes) -> None:
            end = time.thread_time() + 0.011
            while time.thread_time() < end:
                pass

        outcome = program.fuzz(slow, [b"a"])
        self.assertEqual(len(outcome.failures), 1)
        self.assertGreater(outcome.slowest[0], program.LIMIT)

    def test_unknownParser(self) -> None:
        """
        A parser that is not there is a mistake of the caller's.
        """
        self.patch(sys, "stderr", io.StringIO())
        self.assertRaises(SystemExit, program.main, ["html"])

    def test_withoutAtheris(self) -> None:
        """
        Guided runs need a package that is not installed by itself.
        """
        self.patch(sys, "modules", {**sys.modules, "atheris": None})
        error = self.assertRaises(SystemExit, program.main, ["--guided", "uri"])
        self.assertIn("needs atheris", str(error))
