"""
Tests of L{siprec.node}: a store that is asked over a network.
"""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred, fail

from siprec.session.model import CallSnapshot, NodeLease
from siprec.session.running import RunningRecordings
from siprec.store.interfaces import LeaseHeld
from tests.nodeparts import NodeTestCase
from tests.session.recordings import NODE, START, dialog, identity, session


class StoreTests(NodeTestCase):
    """
    A store that is asked over a network, and what it still has.
    """

    def setUp(self) -> None:
        super().setUp()
        self.state = self.parts["state"]
        self.refused: list[BaseException] = []

    def begin(self) -> None:
        """
        Start a node whose store has not answered yet.
        """
        self.state.begun = Deferred()
        self.node.onRefused = self.refused.append
        self.node.startService()
        self.notes.clear()

    def test_waits(self) -> None:
        """
        Nothing is taken from the network before the store has answered.
        """
        self.begin()
        self.assertEqual((self.notes, self.reactor.tcpServers), ([], []))
        self.state.begun.callback(None)
        self.assertEqual(self.notes, ["+state", "+transport"])
        self.assertEqual(self.refused, [])
        self.successResultOf(self.stop())

    def test_held(self) -> None:
        """
        If another process is this node, what has been started is stopped, and
        whoever runs the node is told why.
        """
        self.begin()
        held = LeaseHeld(NodeLease(NODE, "i2", "there", 7))
        self.state.begun.errback(held)
        self.assertEqual(self.refused, [held])
        self.assertFalse(self.node.running)
        stopped = ["-renderer", "-capture", "-archive", "-workers"]
        self.assertEqual(self.notes, stopped)
        self.successResultOf(self.node.stopService())
        self.assertFree()

    def test_heldAtOnce(self) -> None:
        """
        The same of a store that answers at once is an error of the start.
        """
        self.state.begun = fail(LeaseHeld(NodeLease(NODE, "i2", "there", 7)))
        error = self.assertRaises(LeaseHeld, self.node.startService)
        self.assertIn("process 7 on 'there'", str(error))
        self.assertFree()

    def test_stoppedMeanwhile(self) -> None:
        """
        A node that is stopped before the store has answered takes nothing from
        the network any more.
        """
        self.begin()
        self.parts["recovery"].done.callback(None)
        self.successResultOf(self.node.stopService())
        self.assertNotIn("+transport", self.notes)
        self.assertEqual(self.refused, [])
        self.assertFree()

    def test_resumed(self) -> None:
        """
        Calls of an earlier life are taken up before requests are; the recovery
        gets only what is left.
        """
        running = RunningRecordings(self.root, NODE)
        running.acquire()
        for number in (1, 2):
            running.add(identity(number), f"{self.root}/2026/{number}")
        running.release()
        recording = evolve(session(self.root, 1), state="recording")
        self.state.calls = [CallSnapshot(recording, dialog(), lastActivity=START)]
        self.node.startService()
        resumed = self.notes.index(f"resume {identity(1)}")
        self.assertLess(resumed, self.notes.index("+transport"))
        self.assertEqual(self.notes[-1], f"move {identity(1)}")
        self.assertEqual([each.id for each in self.parts["recovery"].orphans], [identity(2)])
        self.successResultOf(self.stop())

    def test_notResumed(self) -> None:
        """
        A call that was ending, one that has been silent for too long, and one
        that cannot be taken up are left to the recovery, and their snapshots
        are forgotten; copies of the last requests of the first two are still
        answered, from the first one on.
        """
        ending = evolve(session(self.root, 1), state="finishing")
        silent = evolve(session(self.root, 2), state="recording")
        broken = evolve(session(self.root, 3), state="recording")
        self.parts["sessions"].broken = {identity(3)}
        self.state.calls = [
            CallSnapshot(ending, dialog(), lastActivity=START),
            CallSnapshot(silent, dialog(), lastActivity=START - 3601),
            CallSnapshot(broken, dialog(), lastActivity=START),
        ]
        self.node.startService()
        self.assertEqual(self.state.keeper.deleted, [identity(1), identity(2), identity(3)])
        remembered = [self.notes.index(f"remember {identity(number)}") for number in (1, 2)]
        self.assertLess(max(remembered), self.notes.index("+transport"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.successResultOf(self.stop())
