"""
A child that is asked to render, without a process.
"""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.render.child import Child, Job, RenderFailed
from tests.render.processes import FakeProcess

__all__ = ["ChildCase"]


class ChildCase(SynchronousTestCase):
    """
    A test with a child.
    """

    def setUp(self) -> None:
        """
        Start a child.
        """
        self.clock = Clock()
        self.freed: list[Child] = []
        self.child = Child(self.clock, 10, 60, self.freed.append)
        self.process = FakeProcess(self.child)
        self.child.makeConnection(self.process)

    def take(self, directory: str = "/r") -> Job:
        """
        Give it a recording.
        """
        job = Job(directory, lambda job: self.child.kill() if job is self.child.job else None)
        self.child.take(job)
        return job

    def failed(self, job: Job) -> RenderFailed:
        """
        @return: why a job has failed, of which the child has died.
        """
        self.assertNoResult(job.done)
        self.assertEqual(self.process.signals, ["KILL"])
        self.assertFalse(self.child.idle)
        self.process.die()
        return self.reason(job)

    def reason(self, job: Job) -> RenderFailed:
        """
        @return: why a job has failed, after which nothing is to happen any more.
        """
        error = self.failureResultOf(job.done, RenderFailed).value
        assert isinstance(error, RenderFailed)
        self.assertEqual(error.directory, "/r")
        self.assertEqual([call for call in self.clock.getDelayedCalls() if call.active()], [])
        return error
