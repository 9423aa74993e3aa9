"""
Tests of L{siprec.node}: a store that is asked over a network.
"""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred, fail

from siprec.cluster.continuing import Continuation
from siprec.cluster.errors import CannotListen
from siprec.session.model import CallSnapshot, NodeLease
from siprec.session.running import RunningRecordings
from siprec.store.interfaces import LeaseHeld
from siprec.uas.call import Call
from tests.callparts import LivePart
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


class ClusterTests(NodeTestCase):
    """
    A store that other nodes share.
    """

    def setUp(self) -> None:
        super().setUp()
        self.state = self.parts["state"]
        self.cluster = self.join()
        self.node = self.makeNode()

    def test_resumed(self) -> None:
        """
        Calls of an earlier life are taken up before requests are; the recovery
        gets only what is left.
        """
        running = RunningRecordings(self.root, NODE)
        running.acquire()
        for number in (1, 2, 3):
            running.add(identity(number), f"{self.root}/2026/{number}")
        running.release()
        recording = evolve(session(self.root, 1), state="recording")
        self.state.calls = [CallSnapshot(recording, dialog(), lastActivity=START)]
        self.parts["sessions"].recordings[identity(1)] = LivePart(recording)
        self.cluster.leftovers.others = {identity(3)}
        self.node.startService()
        self.parts["sessions"].recordings.clear()
        resumed = self.notes.index(f"resume {identity(1)}")
        self.assertLess(resumed, self.notes.index("+transport"))
        self.assertEqual(self.notes[-1], f"move {identity(1)}")
        self.assertEqual([each.id for each in self.parts["recovery"].orphans], [identity(2)])
        self.successResultOf(self.stop())

    def test_notResumed(self) -> None:
        """
        A call that was ending, one that has been silent for too long, and one
        that cannot be taken up are finished from their records; copies of the
        last requests in them are still answered, from the first one on.
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
        for number in (1, 2, 3):
            remembered = self.notes.index(f"remember {identity(number)}")
            self.assertEqual(self.notes[remembered + 1], f"end {identity(number)} nodeDied")
            self.assertLess(remembered, self.notes.index("+transport"))
        self.assertNotIn(f"move {identity(3)}", self.notes)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.parts["sessions"].recordings.clear()
        self.successResultOf(self.stop())

    def test_failed(self) -> None:
        """
        A call whose going on fails in a way that nobody foresaw keeps neither
        the others nor the node.
        """
        calls = [evolve(session(self.root, number), state="recording") for number in (1, 2)]
        self.state.calls = [CallSnapshot(each, dialog(), lastActivity=START) for each in calls]
        goOn = self.cluster.continuation.goOn

        async def fails(snapshot: CallSnapshot, epoch: int) -> Call | None:
            if snapshot.key == identity(1):
                raise ValueError("bug")
            return await goOn(snapshot, epoch)

        self.patch(Continuation, "goOn", staticmethod(fails))
        self.node.startService()
        self.assertEqual(self.notes[-1], f"move {identity(2)}")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.successResultOf(self.stop())

    def test_beingFinished(self) -> None:
        """
        What is being finished from its record is no concern of the recovery.
        """
        running = RunningRecordings(self.root, NODE)
        running.acquire()
        running.add(identity(1), f"{self.root}/2026/1")
        running.release()
        ending = evolve(session(self.root, 1), state="finishing")
        self.state.calls = [CallSnapshot(ending, dialog(), lastActivity=START)]
        self.node.startService()
        self.assertEqual(self.parts["recovery"].orphans, [])
        self.parts["sessions"].recordings.clear()
        self.successResultOf(self.stop())

    def test_order(self) -> None:
        """
        A node listens for others before its lease says where; it asks for its
        addresses before it binds them; and others are looked at only when it
        could take their calls.
        """
        self.node.startService()
        order = ("+links", "+state", "arrive", "+transport", "+cluster")
        places = [self.notes.index(each) for each in order]
        self.assertEqual(places, sorted(places))
        self.successResultOf(self.stop())

    def test_cannotListen(self) -> None:
        """
        A node that others could not reach does not start.
        """
        self.cluster.failure = CannotListen("in use")
        error = self.assertRaises(OSError, self.node.startService)
        self.assertIn("cluster.listen", str(error))
        self.assertNotIn("+state", self.notes)
        self.assertFree()

    def test_stop(self) -> None:
        """
        Calls are given away before the rest is ended, the node says good-bye
        before its lease ends, and its connections are closed last.
        """
        self.node.startService()
        self.notes.clear()
        self.successResultOf(self.stop())
        order = ("give away", "calls 503 drained", "-transport", "-cluster", "-state", "-links")
        places = [self.notes.index(each) for each in order]
        self.assertEqual(places, sorted(places))

    def test_timeToEnd(self) -> None:
        """
        Of the time for the drain some is left to end what nobody has taken: 5
        seconds, or of a short one a quarter.
        """
        for timeout, until in ((30, 22.0), (8, 3.75)):
            self.parts["recovery"].done = Deferred()
            self.node = self.makeNode(node__drain_timeout=timeout)
            self.node.startService()
            before = self.reactor.seconds()
            self.successResultOf(self.stop())
            self.assertAlmostEqual(self.cluster.until[-1] - before, until)

    def test_leavingHangs(self) -> None:
        """
        What hangs while it says good-bye does not keep the process.
        """
        self.node.startService()
        self.cluster.leaving = Deferred()
        stopping = self.stop()
        self.assertNoResult(stopping)
        self.reactor.advance(30)
        self.successResultOf(stopping)
