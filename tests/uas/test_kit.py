"""
Tests for L{tests.uas.kit}: fakes must keep the promises of what they stand for.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.session.interfaces import IRenderer, IWorkers
from siprec.sip.flow import Flow
from siprec.sip.interfaces import FlowGone, ISipTransport, ITransactionUser
from siprec.store.interfaces import ISnapshotStore
from tests.uas.house import FakeRenderer, ImmediateWorkers, WatchedStore, Wire
from tests.uas.kit import RecorderTestCase


class FakeTests(SynchronousTestCase):
    """
    What the recorder stands on here.
    """

    def test_interfaces(self) -> None:
        """
        Each fake has all that its interface names.
        """
        verifyObject(IWorkers, ImmediateWorkers())
        verifyObject(IRenderer, FakeRenderer())
        verifyObject(ISnapshotStore, WatchedStore())
        verifyObject(ISipTransport, Wire())

    def test_held(self) -> None:
        """
        Held work is done when the test says so, and gives its result then.
        """
        workers = ImmediateWorkers(held=[])
        done = workers.run(int, "7")
        failed = workers.run(int, "x")
        self.assertNoResult(done)
        workers.finish()
        self.assertEqual(self.successResultOf(done), 7)
        self.failureResultOf(failed, ValueError)
        self.assertEqual(self.successResultOf(workers.run(int, "8")), 8)

    def test_closed(self) -> None:
        """
        Nothing can be sent on a closed connection, all others go on.
        """
        wire = Wire()
        one = Flow("TCP", ("192.0.2.1", 5060), ("192.0.2.7", 5060), 1)
        two = Flow("TCP", ("192.0.2.1", 5060), ("192.0.2.7", 5060), 2)
        wire.closed.add(one)
        self.assertRaises(FlowGone, wire.send, one, b"")
        wire.send(two, b"")
        self.assertEqual(wire.sent, [(two, b"")])


class HouseTests(RecorderTestCase):
    """
    The recorder itself.
    """

    def test_user(self) -> None:
        """
        The recorder is what the transaction layer wants on top of it.
        """
        verifyObject(ITransactionUser, self.house.recorder)
