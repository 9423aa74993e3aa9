"""
Tests of L{tests.run}: what it counts, and what it ends with.
"""

import io
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import fail
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.trial.runner import TestLoader, TrialSuite
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from tests import run

ROOT = Path(__file__).resolve().parent.parent


class _Mixed(SynchronousTestCase):
    """
    Three tests of each kind of outcome, not found by a loader.
    """

    def check_passes(self) -> None:
        """
        Passes.
        """

    def check_fails(self) -> None:
        """
        Fails.
        """
        self.fail("as it should")

    def check_breaks(self) -> None:
        """
        Raises an error.
        """
        raise ZeroDivisionError

    def check_breaksTwice(self) -> None:
        """
        Raises an error and logs two more: one test, several reports.
        """
        for _ in range(2):
            Logger().failure("more", Failure(ZeroDivisionError()))
        raise ZeroDivisionError

    def check_isSkipped(self) -> None:
        """
        Skips.
        """
        raise SkipTest("for a reason")

    def check_lacksProgram(self) -> None:
        """
        Skips as L{tests.programs} does.
        """
        raise SkipTest("needs sipp (Debian package sip-tester)")

    def check_expectsToFail(self) -> None:
        """
        Fails as it says.
        """
        self.fail("known")

    check_expectsToFail.todo = "later"  # type: ignore[attr-defined]

    def check_failsToFail(self) -> None:
        """
        Passes against its own word.
        """

    check_failsToFail.todo = "later"  # type: ignore[attr-defined]


class _NoSetUp(SynchronousTestCase):
    """
    Tests that cannot be set up.
    """

    def setUp(self) -> None:
        """
        Break.
        """
        raise ZeroDivisionError

    def check_passes(self) -> None:
        """
        Would pass.
        """


class _Unclean(TestCase):
    """
    A class whose last test leaves a call behind, which is found after it has passed.
    """

    def check_leavesCall(self) -> None:
        """
        Leave a delayed call with the reactor.
        """
        from twisted.internet import reactor  # noqa: TID251  # the very thing to find

        reactor.callLater(60, lambda: None)

    def check_failsLater(self) -> Any:
        """
        Fail through a Deferred.
        """
        return fail(ZeroDivisionError())


class CountingReporterTests(SynchronousTestCase):
    """
    Each test is counted once, under what became of it.
    """

    def counted(self, *tests: Any, requirePrograms: bool = False) -> run.CountingReporter:
        """
        @return: the reporter after it has seen these tests run.
        """
        reporter = run.CountingReporter(io.StringIO())
        reporter.requirePrograms = requirePrograms
        TrialSuite(tests).run(reporter)
        # The errors that were logged on purpose belong to the tests within.
        self.flushLoggedErrors(ZeroDivisionError)
        return reporter

    def test_passed(self) -> None:
        """
        A run in which all tests pass has succeeded.
        """
        reporter = self.counted(_Mixed("check_passes"), _Mixed("check_passes"))
        self.assertEqual((reporter.totals, reporter.succeeded), ("2 passed, 0 failed", True))

    def test_failed(self) -> None:
        """
        Failures, errors, announced failures and announced failures that do
        not come are all failed tests.
        """
        for name in ("fails", "breaks", "breaksTwice", "expectsToFail", "failsToFail"):
            reporter = self.counted(_Mixed("check_passes"), _Mixed(f"check_{name}"))
            with self.subTest(name=name):
                self.assertEqual(reporter.totals, "1 passed, 1 failed")
                self.assertFalse(reporter.succeeded)

    def test_asynchronousFailure(self) -> None:
        """
        A Deferred that fails makes its test fail.
        """
        self.assertEqual(self.counted(_Unclean("check_failsLater")).totals, "0 passed, 1 failed")

    def test_unclean(self) -> None:
        """
        A test that passed and is found unclean afterwards moves to the failed ones.
        """
        reporter = self.counted(_Mixed("check_passes"), _Unclean("check_leavesCall"))
        self.assertEqual(reporter.totals, "1 passed, 1 failed")

    def test_setUp(self) -> None:
        """
        A test that cannot be set up has failed.
        """
        self.assertEqual(self.counted(_NoSetUp("check_passes")).totals, "0 passed, 1 failed")

    def test_importError(self) -> None:
        """
        A module that cannot be imported fails.
        """
        path = Path(self.mktemp() + "_test.py")
        path.write_text("import does_not_exist\n", encoding="utf-8")
        suite = TestLoader().loadByNames([str(path)])
        self.assertEqual(self.counted(suite).totals, "0 passed, 1 failed")

    def test_skipped(self) -> None:
        """
        Skipped tests are counted by themselves, and do no harm.
        """
        reporter = self.counted(
            _Mixed("check_passes"), _Mixed("check_isSkipped"), _Mixed("check_lacksProgram")
        )
        self.assertEqual((reporter.totals, reporter.notRun), ("1 passed, 0 failed", 2))
        self.assertTrue(reporter.succeeded)

    def test_requirePrograms(self) -> None:
        """
        Where programs are required, a test without its program has failed;
        any other skip is still one.
        """
        reporter = self.counted(
            _Mixed("check_passes"),
            _Mixed("check_isSkipped"),
            _Mixed("check_lacksProgram"),
            requirePrograms=True,
        )
        self.assertEqual((reporter.totals, reporter.notRun), ("1 passed, 1 failed", 1))
        self.assertFalse(reporter.succeeded)

    def test_nothing(self) -> None:
        """
        A run of no test at all, or of skips alone, has proved nothing.
        """
        self.assertFalse(self.counted().succeeded)
        self.assertFalse(self.counted(_Mixed("check_isSkipped")).succeeded)

    def test_interrupted(self) -> None:
        """
        A run that was stopped has not succeeded, whatever passed before.
        """
        reporter = self.counted(_Mixed("check_passes"))
        reporter.stop()
        self.assertFalse(reporter.succeeded)


class BelowLimitTests(SynchronousTestCase):
    """
    Pure modules must be covered.
    """

    def below(self, statements: int, missing: int) -> list[str]:
        """
        @return: the complaints if every pure module were covered like that.
        """
        lines = list(range(statements))
        analysis: tuple[Any, ...] = ("", lines, [], lines[:missing], "")
        measured: Any = SimpleNamespace(analysis2=lambda path: analysis)
        return run.belowLimit(measured)

    def test_enough(self) -> None:
        """
        Exactly the limit is enough, and an empty module is covered.
        """
        self.assertEqual(self.below(100, 5), [])
        self.assertEqual(self.below(0, 0), [])

    def test_tooLittle(self) -> None:
        """
        A module below the limit is named with what it has.
        """
        self.assertIn("siprec.ids: 94% covered, 95% is the least", self.below(100, 6))


class MainTests(SynchronousTestCase):
    """
    The program ends with the totals, and its exit status says the same.
    """

    def runOf(self, *lines: str, **environment: str) -> tuple[int, str]:
        """
        @return: the exit status and last line of a run of one test with that body.
        """
        path = Path(self.mktemp() + "_test.py").absolute()
        head = ["from twisted.trial.unittest import *", "class Tests(SynchronousTestCase):"]
        body = [f"    def test_{number}(self): {line}" for number, line in enumerate(lines)]
        path.write_text("\n".join(head + body), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "tests.run", str(path)],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env={**os.environ, "SIPREC_REQUIRE_PROGRAMS": "", **environment},
        )
        return done.returncode, done.stdout.splitlines()[-1]

    def test_success(self) -> None:
        """
        All passed: exit status 0.
        """
        self.assertEqual(self.runOf("pass", "pass"), (0, "2 passed, 0 failed"))

    def test_failure(self) -> None:
        """
        One failed: exit status 1, and the totals are the last line all the same.
        """
        self.assertEqual(self.runOf("pass", "self.fail()"), (1, "1 passed, 1 failed"))

    def test_programsRequired(self) -> None:
        """
        C{SIPREC_REQUIRE_PROGRAMS=1} makes a missing program a failure.
        """
        lines = ("pass", "raise SkipTest('needs sipp (Debian package sip-tester)')")
        self.assertEqual(self.runOf(*lines), (0, "1 passed, 0 failed"))
        self.assertEqual(self.runOf(*lines, SIPREC_REQUIRE_PROGRAMS="1"), (1, "1 passed, 1 failed"))
