"""
Tests of L{siprec.cluster.keeping}.
"""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred, fail
from twisted.logger import capturedLogs

from siprec.cluster.errors import LinkLost
from siprec.cluster.keeping import LONGEST_SILENCE, Keeper
from siprec.cluster.link import Link
from siprec.cluster.table import LinkTable
from siprec.ids import NodeID
from siprec.session.model import NodeLease
from tests.cluster.linkcase import A, B, LinkCase


class KeeperTests(LinkCase):
    """
    C{A} keeps C{B}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.leases = {B.nodeID: NodeLease(B.nodeID, B.instance, "host", 1)}
        self.table = LinkTable(A.nodeID)
        self.silent: list[NodeID] = []
        self.attempts: list[Deferred[Link]] = []
        self.error: Exception | None = None
        self.keeper = Keeper(self.leases.get, self.table, self.connect, self.silent.append)
        self.keeper.keep([B.nodeID])

    def connect(self, lease: NodeLease) -> Deferred[Link]:
        """
        An attempt that fails, or ends when the test says so.
        """
        attempt: Deferred[Link] = Deferred() if self.error is None else fail(self.error)
        self.attempts.append(attempt)
        return attempt

    def connected(self) -> Link:
        """
        @return: a link that was made by the last attempt.
        """
        self.join()
        self.table.add(self.near)
        self.attempts[-1].callback(self.near)
        return self.near

    def turns(self, count: int) -> list[int]:
        """
        @return: how many attempts each turn made.
        """
        made = []
        for _ in range(count):
            before = len(self.attempts)
            self.keeper.turn()
            self.network.settle()
            made.append(len(self.attempts) - before)
        return made

    def test_connect(self) -> None:
        """
        What is not connected is, by one attempt at a time.
        """
        self.assertEqual(self.turns(3), [1, 0, 0])
        link = self.connected()
        self.assertEqual(self.turns(3), [0, 0, 0])
        self.assertTrue(self.keeper.holds(link))

    def test_backOff(self) -> None:
        """
        Attempts that fail are made again after 1, 2, 4 turns and then every 4, and the
        reason is logged when it changes.
        """
        self.error = LinkLost("refused")
        with capturedLogs() as events:
            self.assertEqual(self.turns(12), [1, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1])
            self.error = LinkLost("")
            self.turns(8)
        self.assertEqual([event["reason"] for event in events], ["refused", "LinkLost"])

    def test_betweenTurns(self) -> None:
        """
        To look between two turns connects what is new, and neither counts as a beat
        nor shortens a pause.
        """
        self.error = LinkLost("refused")
        for _ in range(5):
            self.keeper.turn(beat=False)
        self.assertEqual(len(self.attempts), 2)
        self.error = None
        self.turns(2)
        link = self.connected()
        for _ in range(10):
            self.keeper.turn(beat=False)
        self.assertFalse(link.isSilent)

    def test_newInstance(self) -> None:
        """
        A node that was started again is connected at once.
        """
        self.error = LinkLost("refused")
        self.turns(8)
        lease = self.leases[B.nodeID]
        self.leases[B.nodeID] = evolve(lease, instance="b2")
        self.assertEqual(self.turns(1), [1])

    def test_noLease(self) -> None:
        """
        Without a lease nobody can be connected to.
        """
        self.leases.clear()
        self.assertEqual(self.turns(3), [0, 0, 0])

    def test_silence(self) -> None:
        """
        Each silence is told once, three turns after the first ping without answer.
        """
        self.turns(1)
        self.connected()
        self.turns(2)
        for silence in (1, 2):
            self.ends[1].frozen = True
            self.turns(3)
            self.assertEqual(len(self.silent), silence - 1)
            self.turns(5)
            self.assertEqual(self.silent, [B.nodeID] * silence)
            self.ends[1].thaw()
            self.network.settle()
            self.turns(2)

    def test_dead(self) -> None:
        """
        A connection that stays silent is made anew, and the silence is not told again.
        """
        self.turns(1)
        link = self.connected()
        self.ends[1].frozen = True
        self.assertEqual(sum(self.turns(LONGEST_SILENCE)), 0)
        self.assertTrue(link.isOpen)
        self.turns(1)
        self.assertFalse(link.isOpen)
        self.assertEqual(self.turns(1), [1])
        self.assertEqual(len(self.silent), 1)
        self.ends[1].thaw()

    def test_noMore(self) -> None:
        """
        A node that is not to be kept any more is left alone, and its connection is
        none that is held; nor is one that is not authenticated.
        """
        self.turns(1)
        link = self.connected()
        self.keeper.keep([])
        self.assertEqual(self.turns(2), [0, 0])
        self.assertFalse(self.keeper.holds(link))
        self.assertFalse(self.keeper.holds(self.makeNear()))

    def test_keptOn(self) -> None:
        """
        To name a node again does not begin anew with it.
        """
        self.turns(1)
        self.keeper.keep([B.nodeID, NodeID("c")])
        self.assertEqual(self.turns(1), [0])
