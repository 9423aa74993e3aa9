"""
Test modules run several at a time, each lane in a network of its own.

Most functional tests wait: for a timer, for a call's media, for a lease to end.
So the lanes are more than the processors.  Each has its own network namespace, in
which every port is free; where none can be made there is one lane.  What measures
how fast something happens runs alone, after the others.

A functional test that failed while others ran beside it is run once more, alone, and
then that counts; it is told at the end, as it may have found something all the same.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from attrs import field, frozen

__all__ = ["ALONE", "LONG", "Job", "Outcome", "jobs", "namespacesCanBeMade", "run", "runAll"]

#: Modules whose tests measure how fast something happens.
ALONE = frozenset(
    f"tests.functional.test_{name}"
    for name in ("calls", "chaos", "cluster_takeover", "flood", "hostile", "scenarios", "state")
)

#: These take longest, so they begin first and nobody waits for them at the end.
LONG = tuple(
    f"tests.functional.test_{name}"
    for name in ("cluster_partition", "cluster_outage", "cluster_moments", "cluster_peers")
)

_FUNCTIONAL = "tests.functional."

# What runs a command in a network of its own, with a loopback interface that is up.
_APART = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")


@frozen
class Job:
    """
    Tests that one process runs.

    @ivar names: of modules, classes or methods.
    """

    names: tuple[str, ...]

    @property
    def title(self) -> str:
        """
        What it is called.
        """
        return self.names[0] if len(self.names) == 1 else f"{len(self.names)} modules"

    @property
    def isAlone(self) -> bool:
        """
        Whether nothing may run beside it.
        """
        return bool(ALONE.intersection(self.names))


@frozen
class Outcome:
    """
    What became of a job, or of several.

    @ivar failed: the names of the tests.
    @ivar again: those of the tests that failed beside others and passed alone.
    """

    passed: int = 0
    failed: tuple[str, ...] = ()
    notRun: int = 0
    again: tuple[str, ...] = field(default=())

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            self.passed + other.passed,
            self.failed + other.failed,
            self.notRun + other.notRun,
            self.again + other.again,
        )

    @property
    def totals(self) -> str:
        """
        The counts, as the last line of a run has them.
        """
        return f"{self.passed} passed, {len(self.failed)} failed"


def jobs(modules: Iterable[str]) -> list[Job]:
    """
    @return: the jobs for these modules, in the order in which they begin: each
        functional one by itself, all others together.
    """
    names = sorted(set(modules))
    quick = tuple(each for each in names if not each.startswith(_FUNCTIONAL))
    slow = [each for each in names if each.startswith(_FUNCTIONAL)]
    slow.sort(key=lambda each: (each in ALONE, each not in LONG))
    return [Job(each) for each in (quick, *((each,) for each in slow)) if each]


def namespacesCanBeMade() -> bool:
    """
    @return: whether a lane can have a network of its own here.
    """
    try:
        return subprocess.run([*_APART, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def run(job: Job, folder: str, apart: bool = False, longest: float = 1800) -> tuple[Outcome, str]:
    """
    Run a job in a process of its own.

    @param folder: where it may leave files.
    @param apart: in a network of its own.
    @param longest: seconds after which it is ended.
    @return: what became of it, and what it wrote.
    """
    counts = os.path.join(folder, "counts.json")
    command = [sys.executable, "-m", "tests.run", "--job", folder, *job.names]
    try:
        done = subprocess.run(
            [*(_APART if apart else ()), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=longest,
            check=False,
        )
        text = done.stdout.decode(errors="replace")
        with open(counts, encoding="utf-8") as file:
            passed, failed, notRun = json.load(file)
        return Outcome(passed, tuple(failed), notRun), text
    except subprocess.TimeoutExpired as error:
        text = (error.stdout or b"").decode(errors="replace")
        return Outcome(failed=(f"{job.title} (not over after {longest} s)",)), text
    except (OSError, ValueError):
        return Outcome(failed=(f"{job.title} (its process ended with {done.returncode})",)), text


def runAll(
    modules: Sequence[str],
    root: str,
    lanes: int,
    runJob: Callable[[Job, str, bool], tuple[Outcome, str]] = run,
) -> Outcome:
    """
    Run all modules, and tell of each.

    @param root: an existing folder for what they leave.
    @param lanes: how many jobs may run at a time.
    @param runJob: runs one; see L{run}.
    """
    apart = lanes > 1

    def timed(job: Job) -> Outcome:
        began = time.monotonic()
        outcome, text = runJob(job, tempfile.mkdtemp(dir=root), apart)
        spent = time.monotonic() - began
        lines = [f"== {job.title}: {outcome.totals}, {spent:.0f} s", *_told(text)]
        # One write, so that what two lanes tell is not mixed.
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        return outcome

    todo = jobs(modules)
    total = Outcome()
    failed: list[str] = []
    with ThreadPoolExecutor(lanes) as pool:
        beside = [pool.submit(timed, job) for job in todo if not job.isAlone]
        for done in as_completed(beside):
            outcome = done.result()
            names = [each for each in outcome.failed if _canPassAlone(each)] if apart else []
            failed += names
            total += Outcome(
                outcome.passed,
                tuple(each for each in outcome.failed if each not in names),
                outcome.notRun,
            )
    for job in todo:
        if job.isAlone:
            total += timed(job)
    for name in failed:
        again = timed(Job((name,)))
        total += again if again.failed else Outcome(again.passed, (), again.notRun, (name,))
    return total


def _canPassAlone(name: str) -> bool:
    # Not a module that cannot be imported, nor a process that died.
    return name.startswith(_FUNCTIONAL) and " " not in name


def _told(text: str) -> Iterator[str]:
    # The dots of the tests that passed say nothing that the counts do not.
    for line in text.splitlines():
        if line.strip(".sSEF"):
            yield line
