"""
Runs the test suite: C{python -m tests.run [NAME...]}.

Without a name it runs everything under coverage, several modules at a time (see
L{tests.lanes}; C{SIPREC_TEST_LANES} says how many), and the modules that have to be pure
must be covered nearly whole.  The last line it writes is always C{N passed, N failed},
counted from trial's own result; the exit status is 0 only if all went well.
"""

import faulthandler
import glob
import json
import os
import sys
import tempfile
from typing import Any, TextIO

import coverage
from hypothesis import HealthCheck, settings
from twisted.python.filepath import FilePath
from twisted.trial.reporter import TextReporter
from twisted.trial.runner import TestLoader, TrialRunner

from tests import lanes
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
        self.passed = self.notRun = 0
        self.failedTests: list[str] = []
        self._lastPassed = ""

    @property
    def failed(self) -> int:
        """
        How many tests failed.
        """
        return len(self.failedTests)

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
        if name not in self.failedTests[-1:]:
            self.failedTests.append(name)
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


def _runTests(names: list[str], folder: FilePath) -> CountingReporter:
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
    runner = TrialRunner(CountingReporter, workingDirectory=folder.path)
    result = runner.run(TestLoader().loadByNames(names, recurse=True))
    assert isinstance(result, CountingReporter)
    return result


def _measure(folder: FilePath) -> coverage.Coverage:
    return coverage.Coverage(
        data_file=folder.child(".coverage").path,
        data_suffix=False,
        config_file=ROOT.child("pyproject.toml").path,
    )


def _runJob(folder: FilePath, names: list[str]) -> int:
    # One of the processes that run everything; see tests.lanes.
    measured = _measure(folder)
    with measured.collect():
        result = _runTests(names, folder.child("trial"))
    measured.save()
    counts = [result.passed, result.failedTests, result.notRun]
    folder.child("counts.json").setContent(json.dumps(counts).encode())
    return 0 if result.succeeded else 1


def _everything() -> list[str]:
    found = glob.glob("tests/**/test_*.py", root_dir=ROOT.path, recursive=True)
    return [each.removesuffix(".py").replace("/", ".") for each in found]


def _runAll() -> int:
    os.chdir(ROOT.path)
    wanted = int(os.environ.get("SIPREC_TEST_LANES", "3"))
    count = wanted if lanes.namespacesCanBeMade() else 1
    folder = FilePath(tempfile.mkdtemp(prefix="siprec-tests-"))
    result = lanes.runAll(_everything(), folder.path, count)
    measured = _measure(ROOT)
    measured.combine(glob.glob(f"{folder.path}/*/.coverage"))
    measured.save()
    measured.report(file=sys.stdout)
    complaints = belowLimit(measured)
    for line in complaints:
        print(line)
    if result.notRun:
        print(f"{result.notRun} skipped, each with its reason above")
    for name in result.again:
        print(f"{name} failed beside others, and passed alone")
    for name in result.failed:
        print(f"{name} has failed")
    print(result.totals, flush=True)
    good = result.passed and not result.failed and not complaints
    if good:
        folder.remove()
    return 0 if good else 1


def main(arguments: list[str]) -> int:
    """
    Run the tests of that name, or all of them.

    @return: the exit status.
    """
    faulthandler.enable()
    if not arguments:
        return _runAll()
    if arguments[0] == "--job":
        return _runJob(FilePath(arguments[1]), arguments[2:])
    # Of a folder with this name trial takes another one if it is in use.
    result = _runTests(arguments, ROOT.descendant([".trial", "_trial_temp"]))
    if result.notRun:
        print(f"{result.notRun} skipped, each with its reason above")
    print(result.totals, flush=True)
    return 0 if result.succeeded else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
