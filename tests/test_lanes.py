"""
Tests of L{tests.lanes}: what runs when, and what counts.
"""

import os
import sys
import threading
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from tests import lanes
from tests.lanes import Job, Outcome

_CLIENT = "tests.functional.test_client"
_TRACE = "tests.functional.test_trace"
_CHAOS = "tests.functional.test_chaos"
_QUICK = ("tests.test_ids", "tests.sip.test_uri")


class JobsTests(SynchronousTestCase):
    """
    How modules are shared out.
    """

    def test_order(self) -> None:
        """
        What is quick is one job, the first; what has to be alone comes last.
        """
        found = lanes.jobs([_CHAOS, _CLIENT, *_QUICK, _TRACE])
        self.assertEqual(
            [each.names for each in found],
            [tuple(sorted(_QUICK)), (_CLIENT,), (_TRACE,), (_CHAOS,)],
        )
        self.assertEqual([each.isAlone for each in found], [False, False, False, True])

    def test_long(self) -> None:
        """
        What takes long begins before the rest.
        """
        found = lanes.jobs([_CLIENT, "tests.functional.test_cluster_peers"])
        self.assertEqual(found[0].title, "tests.functional.test_cluster_peers")

    def test_onlyFunctional(self) -> None:
        """
        There is no job without a test.
        """
        self.assertEqual(lanes.jobs([_CLIENT]), [Job((_CLIENT,))])

    def test_knownModules(self) -> None:
        """
        The modules that have a place of their own exist.
        """
        for name in (*lanes.ALONE, *lanes.LONG):
            self.assertTrue(os.path.exists(name.replace(".", "/") + ".py"), name)

    def setUp(self) -> None:
        here = os.getcwd()
        os.chdir(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        self.addCleanup(os.chdir, here)


class RunTests(SynchronousTestCase):
    """
    A job in a process of its own.
    """

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)
        here = os.getcwd()
        os.chdir(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        self.addCleanup(os.chdir, here)

    def test_counts(self) -> None:
        """
        What trial counted comes back, with what it wrote.
        """
        outcome, text = lanes.run(Job(("tests.test_ids",)), self.folder)
        self.assertGreater(outcome.passed, 3)
        self.assertEqual((outcome.failed, outcome.notRun), ((), 0))
        self.assertIn("PASSED", text)

    def test_notThere(self) -> None:
        """
        A module that is not there has failed, by its name.
        """
        outcome, _ = lanes.run(Job(("tests.test_nowhere",)), self.folder)
        self.assertEqual((outcome.passed, len(outcome.failed)), (0, 1))
        self.assertIn("tests.test_nowhere", outcome.failed[0])

    def test_died(self) -> None:
        """
        A process that leaves no counts has failed, whatever it wrote.
        """
        self.patch(sys, "executable", "/bin/false")
        outcome, text = lanes.run(Job(("tests.test_ids",)), self.folder)
        self.assertEqual(outcome.failed, ("tests.test_ids (its process ended with 1)",))
        self.assertEqual(text, "")

    def test_tooLong(self) -> None:
        """
        One that does not end is ended, and has failed.
        """
        program = os.path.join(self.folder, "program")
        with open(program, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\necho begun\nexec sleep 60\n")
        os.chmod(program, 0o755)
        self.patch(sys, "executable", program)
        outcome, text = lanes.run(Job(("tests.test_ids",)), self.folder, longest=0.5)
        self.assertEqual(outcome.failed, ("tests.test_ids (not over after 0.5 s)",))
        self.assertEqual(text, "begun\n")


class RunAllTests(SynchronousTestCase):
    """
    Jobs beside each other, and alone.

    @ivar outcomes: what each run of a job brings, by the first name in it.
    @ivar ran: the names of the jobs that ran, how many beside each of them, and
        whether in a network of its own.
    """

    def setUp(self) -> None:
        self.outcomes: dict[str, list[Outcome]] = {}
        self.ran: list[tuple[str, int, bool]] = []
        self.running = 0
        self.lock = threading.Lock()
        self.written = StringIO()
        self.patch(sys, "stdout", self.written)

    def runJob(self, job: Job, folder: str, apart: bool) -> tuple[Outcome, str]:
        """
        Instead of L{lanes.run}.
        """
        with self.lock:
            self.running += 1
            self.ran.append((job.names[0], self.running - 1, apart))
            found = self.outcomes.get(job.names[0], [])
            outcome = found.pop(0) if found else Outcome(passed=1)
            self.running -= 1
        return outcome, "....\nmissing: 0.1 s\n"

    def all(self, *modules: str, count: int = 2) -> Outcome:
        """
        Run them.
        """
        root = self.mktemp()
        os.mkdir(root)
        return lanes.runAll(modules, root, count, self.runJob)

    def test_sum(self) -> None:
        """
        The counts of all jobs are added up; each is told of, without its dots.
        """
        self.outcomes[_TRACE] = [Outcome(passed=5, notRun=2)]
        total = self.all(_CLIENT, _TRACE, _CHAOS)
        self.assertEqual(total, Outcome(passed=7, notRun=2))
        self.assertEqual(total.totals, "7 passed, 0 failed")
        told = self.written.getvalue().splitlines()
        self.assertIn(f"== {_TRACE}: 5 passed, 0 failed, 0 s", told)
        self.assertEqual(len(told), 6)

    def test_alone(self) -> None:
        """
        What has to be alone runs when all others are over.
        """
        self.all(_CHAOS, _CLIENT, _TRACE)
        self.assertEqual(self.ran[-1], (_CHAOS, 0, True))

    def test_oneLane(self) -> None:
        """
        One lane needs no network of its own, and what fails there has failed.
        """
        self.outcomes[_CLIENT] = [Outcome(failed=(f"{_CLIENT}.A.test_a",))]
        self.assertEqual(self.all(_CLIENT, count=1).failed, (f"{_CLIENT}.A.test_a",))
        self.assertEqual(self.ran, [(_CLIENT, 0, False)])

    def test_passesAlone(self) -> None:
        """
        A functional test that failed beside others, and passes alone, has passed;
        it is named.
        """
        name = f"{_CLIENT}.A.test_a"
        self.outcomes[_CLIENT] = [Outcome(passed=3, failed=(name,))]
        self.assertEqual(self.all(_CLIENT, _TRACE), Outcome(passed=5, again=(name,)))
        self.assertEqual(self.ran[-1], (name, 0, True))

    def test_failsAlone(self) -> None:
        """
        One that fails again has failed, once.
        """
        name = f"{_CLIENT}.A.test_a"
        self.outcomes[_CLIENT] = [Outcome(passed=3, failed=(name,))]
        self.outcomes[name] = [Outcome(failed=(name,))]
        self.assertEqual(self.all(_CLIENT), Outcome(passed=3, failed=(name,)))

    def test_failsQuick(self) -> None:
        """
        Others, and whole modules, get no second run; nor does what ran alone.
        """
        failed = ("tests.test_ids.A.test_a", f"{_CLIENT} (its process ended with 1)", _CHAOS)
        for name, one in zip(("tests.test_ids", _CLIENT, _CHAOS), failed, strict=True):
            self.outcomes[name] = [Outcome(failed=(one,))]
        self.assertEqual(set(self.all("tests.test_ids", _CLIENT, _CHAOS).failed), set(failed))
        self.assertEqual(len(self.ran), 3)
