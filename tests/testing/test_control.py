"""
Tests for L{siprec.testing.control}.
"""

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.session.interfaces import IWorkers
from siprec.testing.control import FakeControl, ImmediateWorkers
from siprec.web.interfaces import INodeControl, NoSuchRecording, NotRunning


class ImmediateWorkersTests(SynchronousTestCase):
    """
    Work without threads.
    """

    def test_interface(self) -> None:
        """
        The fake has all that the interface names.
        """
        verifyObject(IWorkers, ImmediateWorkers())

    def test_result(self) -> None:
        """
        What the function gives is there at once, and the call is noted.
        """
        workers = ImmediateWorkers()
        self.assertEqual(self.successResultOf(workers.run(divmod, 7, 2)), (3, 1))
        self.assertEqual(workers.called, ["divmod"])

    def test_failure(self) -> None:
        """
        What the function raises is a failure, not an exception.
        """
        self.failureResultOf(ImmediateWorkers().run(divmod, 1, 0), ZeroDivisionError)


class FakeControlTests(SynchronousTestCase):
    """
    A node without anything in it.
    """

    def setUp(self) -> None:
        self.control = FakeControl(["disk full"], {"a": {"id": "a"}}, {"b"})

    def test_interface(self) -> None:
        """
        The fake has all that the interface names.
        """
        verifyObject(INodeControl, self.control)

    def test_asked(self) -> None:
        """
        It gives what it was told to, and notes what was asked of it.
        """
        self.assertEqual(self.control.notReady(), ["disk full"])
        self.assertEqual(self.successResultOf(self.control.nodes()), [{"id": "node-a"}])
        self.successResultOf(self.control.drain())
        self.assertEqual(self.control.drained, 1)

    def test_stop(self) -> None:
        """
        A recording can be stopped once; others fail as the interface says.
        """
        stopped = self.successResultOf(self.control.stopRecording("a", "me"))
        self.assertEqual(stopped, {"id": "a", "state": "finishing"})
        self.assertEqual(self.control.stopped, [("a", "me")])
        self.failureResultOf(self.control.stopRecording("a", "me"), NoSuchRecording)
        self.failureResultOf(self.control.stopRecording("b", "me"), NotRunning)

    def test_pause(self) -> None:
        """
        A recording can be paused and resumed; others fail as the interface says.
        """
        paused = self.successResultOf(self.control.pauseRecording("a", "me", "why"))
        self.assertEqual(paused, {"id": "a", "paused": {"who": "me", "reason": "why"}})
        resumed = self.successResultOf(self.control.resumeRecording("a", "you", None))
        self.assertEqual(resumed, {"id": "a", "paused": None})
        self.assertEqual(self.control.paused, [("a", "me", "why")])
        self.assertEqual(self.control.resumed, [("a", "you", None)])
        for change in (self.control.pauseRecording, self.control.resumeRecording):
            self.failureResultOf(change("b", "me", None), NotRunning)
            self.failureResultOf(change("c", "me", None), NoSuchRecording)

    def test_broken(self) -> None:
        """
        Every question can be made to fail.
        """
        self.control.broken = OSError("gone")
        self.failureResultOf(self.control.nodes(), OSError)
        self.failureResultOf(self.control.drain(), OSError)
        self.failureResultOf(self.control.stopRecording("a", "me"), OSError)
