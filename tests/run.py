"""
Runs the test suite: C{python -m tests.run [NAME...]}.

Without a name it runs everything under coverage, and the modules that have
to be pure must be covered nearly whole.  The last line it writes is always
C{N passed, N failed}, counted from trial's own result; the exit status is 0 only if all went well.
"""

import faulthandler
import os
import sys
from typing import Any, TextIO

import coverage
from hypothesis import HealthCheck, settings
from twisted.python.filepath import FilePath
from twisted.trial.reporter import TextReporter
from twisted.trial.runner import TestLoader, TrialRunner

from tests.layers import pureModules
from tests.programs import isMissingProgram

__all__ = ["CountingReporter", "belowLimit", "main"]

LEAST_COVERED = 95.0
"""
Least part of the lines of each pure module that tests must run, in percent.
"""

ROOT = FilePath(__file__).parent().parent()


class CountingReporter(TextReporter):
    """
    Counts what passed, failed and was skipped, a test once.

    Failed are also: a test that was expected to fail (nothing here is known
    not to work), one that was expected to fail and did not, a module that cannot be
    imported, and, if C{requirePrograms}, a test that lacked a program.
    """

    requirePrograms = False

    def __init__(self, stream: TextIO = sys.stdout, *args: Any, **kwargs: Any) -> None:
        super().__init__(stream, *args, **kwargs)
        self.passed = self.failed = self.notRun = 0
        self._lastPassed = self._lastFailed = ""

    @property
    def totals(self) -> str:
        """
        The counts, as the last line of a run has them.
        """
        return f"{self.passed} passed, {self.failed} failed"

    @property
    def succeeded(self) -> bool:
        """
        Whether tests ran, all of them, and none failed.
        """
        return self.passed > 0 and not self.failed and not self.shouldStop

    def addSuccess(self, test: Any) -> None:
        """
        The test passed, unless its clean-up reports an error yet.
        """
        super().addSuccess(test)
        self.passed += 1
        self._lastPassed = test.id()

    def addError(self, test: Any, error: Any) -> None:
        """
        The test, or the import of its module, broke.
        """
        super().addError(test, error)
        self._fail(test)

    def addFailure(self, test: Any, fail: Any) -> None:
        """
        An assertion did not hold.
        """
        super().addFailure(test, fail)
        self._fail(test)

    def addExpectedFailure(self, test: Any, *args: Any) -> None:
        """
        The test failed as it announced; it failed all the same.
        """
        super().addExpectedFailure(test, *args)
        self._fail(test)

    def addUnexpectedSuccess(self, test: Any, *args: Any) -> None:
        """
        The test announced a failure that does not happen: it does not say the truth.
        """
        super().addUnexpectedSuccess(test, *args)
        self._fail(test)

    def addSkip(self, test: Any, reason: Any) -> None:
        """
        The test did not run.
        """
        super().addSkip(test, reason)
        if self.requirePrograms and isMissingProgram(str(reason)):
            self._fail(test)
        else:
            self.notRun += 1

    def _fail(self, test: Any) -> None:
        # One test can report several errors, and the clean-up of a class
        # reports to its last test when that has passed already.
        name = test.id()
        if name == self._lastPassed:
            self.passed -= 1
            self._lastPassed = ""
        if name != self._lastFailed:
            self.failed += 1
            self._lastFailed = name
            # Why is told at the end; a run that is cut short has no end.
            self._write("\n%s has failed\n", name)


def belowLimit(measured: coverage.Coverage) -> list[str]:
    """
    @return: a line for each pure module that tests do not cover enough.
    """
    lines = []
    for name in pureModules():
        path = ROOT.preauthChild(name.replace(".", "/") + ".py")
        if not path.exists():
            path = ROOT.preauthChild(name.replace(".", "/") + "/__init__.py")
        _, statements, _, missing, _ = measured.analysis2(path.path)
        percent = 100 - 100 * len(missing) / max(1, len(statements))
        if percent < LEAST_COVERED:
            lines.append(f"{name}: {percent:.0f}% covered, {LEAST_COVERED:.0f}% is the least")
    return lines


def _runTests(names: list[str]) -> CountingReporter:
    os.chdir(ROOT.path)
    CountingReporter.requirePrograms = os.environ.get("SIPREC_REQUIRE_PROGRAMS") == "1"
    # A busy machine is not a failure; and CI is to find the same every time.
    settings.register_profile(
        "run",
        deadline=None,
        derandomize="CI" in os.environ,
        # How fast a shared machine makes examples says nothing of the program.
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("run")
    # Of a folder with this name trial takes another one if it is in use.
    folder = ROOT.descendant([".trial", "_trial_temp"])
    runner = TrialRunner(CountingReporter, workingDirectory=folder.path)
    result = runner.run(TestLoader().loadByNames(names, recurse=True))
    assert isinstance(result, CountingReporter)
    return result


def main(arguments: list[str]) -> int:
    """
    Run the tests of that name, or all of them.

    @return: the exit status.
    """
    faulthandler.enable()
    if arguments:
        result = _runTests(arguments)
        succeeded = result.succeeded
    else:
        measured = coverage.Coverage(
            data_file=ROOT.child(".coverage").path,
            data_suffix=False,
            config_file=ROOT.child("pyproject.toml").path,
        )
        with measured.collect():
            result = _runTests(["tests"])
        measured.save()
        measured.report(file=sys.stdout)
        complaints = belowLimit(measured)
        print("\n".join(complaints))
        succeeded = result.succeeded and not complaints
    if result.notRun:
        print(f"{result.notRun} skipped, each with its reason above")
    print(result.totals, flush=True)
    return 0 if succeeded else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
