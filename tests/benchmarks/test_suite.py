"""
Tests of L{benchmarks.suite}.
"""

import io
import os
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout

from twisted.trial.unittest import SynchronousTestCase

from benchmarks import suite
from benchmarks.bench import Bench, yardstick
from benchmarks.figures import Curve, Figure, Report
from benchmarks.results import machine, pathOf, read, write


class SuiteTests(SynchronousTestCase):
    """
    The commands, on prepared results.
    """

    def setUp(self) -> None:
        """
        Have a folder for results.
        """
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.patch(os, "environ", dict(os.environ))

    def results(self, name: str, **values: float) -> str:
        """
        @return: the path of prepared results.
        """
        path = os.path.join(self.folder, f"{name}.json")
        write(
            Report(machine(), [Figure(each, value, "kB") for each, value in values.items()]), path
        )
        return path

    def run_(self, *arguments: str) -> tuple[int, str]:
        """
        @return: exit status and output of a command.
        """
        out = io.StringIO()
        with redirect_stdout(out), redirect_stderr(out):
            status = suite.main([*arguments, "--folder", self.folder])
        return status, out.getvalue()

    def part(self, run: Callable[[Bench], None]) -> None:
        """
        Have a part of ours in the place of each.
        """
        self.patch(suite, "load", lambda name: run)

    def test_slower(self) -> None:
        """
        The exit status is 1 where something got slower, and it is named.
        """
        old, new = self.results("old", a=1.0, b=1.0), self.results("new", a=1.5, b=1.0)
        status, output = self.run_("check", "--against", old, "--new", new)
        self.assertEqual(status, 1)
        [line] = (each for each in output.splitlines() if "SLOWER" in each)
        self.assertTrue(line.startswith("a "), line)

    def test_notSlower(self) -> None:
        """
        The exit status is 0 where nothing got slower, whatever got faster.
        """
        old, new = self.results("old", a=1.0, b=1.0), self.results("new", a=0.5, b=1.04)
        status, output = self.run_("check", "--against", old, "--new", new)
        self.assertEqual(status, 0)
        self.assertIn("2 figures compared, 0 got slower", output)

    def test_noisy(self) -> None:
        """
        A check says how many figures are too noisy to prove anything.
        """
        paths = [os.path.join(self.folder, f"{name}.json") for name in ("old", "new")]
        for path in paths:
            noisy = Figure("a", 1.0, "kB", noise=0.3)
            write(Report(machine(), [noisy, Figure("b", 1.0, "kB")]), path)
        status, output = self.run_("check", "--against", paths[0], "--new", paths[1])
        self.assertEqual(status, 0)
        self.assertIn("1 of them say little", output)

    def test_nothingKept(self) -> None:
        """
        Without results to compare with nothing is measured; the exit status is 2.
        """
        self.part(lambda bench: self.fail("measured"))
        for command in ("check", "show"):
            status, output = self.run_(command)
            self.assertEqual(status, 2)
            self.assertIn("make bench", output)

    def test_nothingToCompare(self) -> None:
        """
        A check says that it has nothing to compare with, and which program is to be measured.
        """
        status, output = self.run_("check")
        self.assertEqual(status, 2)
        self.assertIn("no results of this machine to compare with", output)
        self.assertIn("as it was before the change", output)

    def test_checkKeepsNothing(self) -> None:
        """
        A check compares with what is kept, and leaves that as it is.
        """
        kept = pathOf(machine(), self.folder)
        write(Report(machine(), [Figure("start.a", 1.0, "kB")]), kept)
        self.part(lambda bench: bench.add(Figure("start.a", 2.0, "kB")))
        status, _ = self.run_("check", "--parts", "start")
        self.assertEqual((status, read(kept).value("start.a")), (1, 1.0))
        self.assertEqual(read(pathOf(machine(), self.folder, "-check")).value("start.a"), 2.0)

    def test_run(self) -> None:
        """
        A run prints its figures, draws its curves and keeps both; what other parts had found
        stays.
        """

        def run(bench: Bench) -> None:
            bench.add(Figure("store.a", 2.0, "kB"))
            bench.curve("Store", "a", ("x", "y"), [(1.0, 2.0)])

        kept = pathOf(machine(), self.folder)
        old = [Figure("store.a", 1.0, "kB"), Figure("idle.b", 1.0, "kB")]
        curves = [Curve("Idle", "b", "x", "y", ((1.0, 1.0),))]
        write(Report(machine(), old, curves, ["store: old", "idle: old"]), kept)
        self.part(run)
        status, output = self.run_("--parts", "store", "--quick")
        self.assertEqual(status, 0)
        self.assertIn("store.a", output)
        report = read(kept)
        self.assertEqual([report.value(each) for each in ("store.a", "idle.b")], [2.0, 1.0])
        self.assertEqual(report.notes, ["idle: old"])
        self.assertLessEqual({"store.png", "idle.png"}, set(os.listdir(self.folder)))
        status, output = self.run_("show", "--rst")
        self.assertIn(".. list-table::", output)
        self.assertEqual(status, 0)

    def test_failed(self) -> None:
        """
        A part that fails is noted, and keeps no other from running.
        """
        done = []

        def run(bench: Bench) -> None:
            done.append(bench)
            raise RuntimeError("no disk")

        self.part(run)
        status, output = self.run_("--parts", "start,store")
        self.assertEqual((status, len(done)), (1, 2))
        self.assertIn("store: failed: RuntimeError: no disk", output)

    def test_noSuchPart(self) -> None:
        """
        A part that is not there is an error of usage.
        """
        with self.assertRaises(SystemExit) as caught:
            self.run_("--parts", "nothing")
        self.assertEqual(caught.exception.code, 2)

    def test_parts(self) -> None:
        """
        Each part can be loaded.
        """
        for part in suite.PARTS:
            self.assertTrue(callable(suite.load(part)))

    def test_yardstick(self) -> None:
        """
        The yardstick takes some time.
        """
        self.assertGreater(yardstick(), 0.0)


__all__ = ["SuiteTests"]
