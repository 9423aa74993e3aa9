"""
Tests of L{siprec.cluster.drain}.
"""

from __future__ import annotations

from twisted.logger import capturedLogs

from siprec.cluster.drain import DRAINING, takers
from siprec.cluster.taking import TAKE
from siprec.ids import NodeID
from siprec.session.model import NodeLease
from siprec.sip.message import Request, Response
from tests.cluster.nodecase import ClusterTestCase
from tests.uas.kit import PEER, Src


class DrainTests(ClusterTestCase):
    """
    Three nodes, the first of which has calls and is drained.
    """

    count = 3

    def setUp(self) -> None:
        super().setUp()
        self.a, self.b, self.c = self.nodes

    def loads(self) -> list[int]:
        """
        @return: how many calls each node has.
        """
        return [len(each.calls) for each in self.nodes]

    def test_shared(self) -> None:
        """
        Each call goes to the node that has the fewest then; those that are just
        on their way count.
        """
        for number in range(6):
            self.call(0, number)
        for number in range(6, 8):
            self.call(1, number)
        self.wait(2)  # the leases say so
        self.successResultOf(self.drain(0))
        self.assertEqual(self.loads(), [0, 4, 4])
        self.assertEqual((self.b.cluster.taker.taken, self.c.cluster.taker.taken), (2, 4))

    def test_told(self) -> None:
        """
        The lease of a node that drains says so, and it is asked no more.
        """
        leases = self.leases()
        self.assertEqual([each for each in leases.values() if each.data.get(DRAINING)], [])
        self.drain(0)
        self.wait(1.5)
        leases = self.leases()
        self.assertEqual(sorted(each.nodeID for each in takers(leases.values())), ["n2", "n3"])

    def test_nothing(self) -> None:
        """
        A node without calls has nothing to give.
        """
        self.successResultOf(self.drain(0))
        self.assertEqual(self.a.links.asked, [])

    def test_nobody(self) -> None:
        """
        Where nobody is left to take calls it ends at once.
        """
        self.call()
        for each in (self.b, self.c):
            each.service.draining = True
        self.wait(2)
        self.successResultOf(self.drain(0))
        self.assertEqual(self.loads(), [1, 0, 0])

    def test_bothAtOnce(self) -> None:
        """
        Two nodes that drain at once do not give to each other, though their
        leases do not say so yet: all goes to the third.
        """
        for number in range(4):
            self.call(number % 2, number)
        self.a.service.draining = self.b.service.draining = True
        draining = [self.drain(0), self.drain(1)]
        self.wait(4)
        for each in draining:
            self.successResultOf(each)
        self.assertEqual(self.loads(), [0, 0, 4])
        self.assertEqual({each.epoch for each in map(self.record, self.memory.list(None))}, {2})

    def test_again(self) -> None:
        """
        What nobody takes now is offered again until the time is over.
        """
        self.call()
        for each in (self.b, self.c):
            each.ports.free = 0
        draining = self.drain(0, 10)
        self.wait(3)
        self.assertNoResult(draining)
        self.c.ports.free = 100
        self.wait(1)
        self.successResultOf(draining)
        self.assertEqual(self.loads(), [0, 0, 1])

    def test_timeOver(self) -> None:
        """
        At the end the rest stays, for whoever ends it.
        """
        self.call()
        for each in (self.b, self.c):
            each.ports.free = 0
        draining = self.drain(0, 5)
        self.wait(4.9)
        self.assertNoResult(draining)
        self.wait(1)
        self.successResultOf(draining)
        self.assertEqual(self.loads(), [1, 0, 0])
        self.assertFalse(self.a.cluster.drain.active)

    def test_storeAway(self) -> None:
        """
        With the store away nothing can be given: it is over in its time.
        """
        for number in range(3):
            self.call(0, number)
        self.a.store.away = True
        draining = self.drain(0, 5)
        self.wait(6)
        self.successResultOf(draining)
        self.assertEqual(self.loads(), [3, 0, 0])

    def test_newCall(self) -> None:
        """
        A call that is still being opened is given once it is.
        """
        src = Src(self.a, callID=f"new@{PEER}")  # type: ignore[arg-type]
        src.invite()
        draining = self.drain(0)
        self.wait(2)
        self.assertNoResult(draining)
        self.assertEqual(self.loads(), [1, 0, 0])
        self.a.wire.take()
        src.ack()
        self.wait(2)
        self.successResultOf(draining)
        self.assertEqual(self.loads()[0], 0)

    def test_joined(self) -> None:
        """
        A second drain waits for the first, which gets the time of both: the end
        of the process must not end the calls that are being given.
        """
        self.call()
        for each in (self.b, self.c):
            each.ports.free = 0
        first, second = self.drain(0, 3), self.drain(0, 8)
        self.wait(4)
        for draining in (first, second):
            self.assertNoResult(draining)
        self.b.ports.free = 100
        self.wait(1)
        for draining in (first, second):
            self.successResultOf(draining)
        self.assertEqual(self.loads(), [0, 1, 0])

    def test_broken(self) -> None:
        """
        An error that nobody foresaw costs one attempt for one call.
        """
        for number in range(2):
            self.call(0, number)
        give, asked = self.a.cluster.giver.give, []

        async def fails(call: object, *rest: object) -> bool:
            asked.append(call)
            if len(asked) == 1:
                raise ValueError("bug")
            return await give(call, *rest)  # type: ignore[arg-type]

        self.patch(type(self.a.cluster.giver), "give", staticmethod(fails))
        with capturedLogs():
            draining = self.drain(0)
            self.wait(2)
        self.successResultOf(draining)
        self.assertEqual(self.loads()[0], 0)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)


class TwoTests(ClusterTestCase):
    """
    Two nodes, one of which drains.
    """

    def setUp(self) -> None:
        super().setUp()
        self.a, self.b = self.nodes

    def test_takerDies(self) -> None:
        """
        If the only other node dies in mid-hand-over, the node that drains has
        its call back, without a break; and as there is nobody else, it may be
        ended.
        """
        src = self.call()
        self.wires.deaf.add((self.b.node, self.a.node))
        draining = self.drain(0)
        self.assertEqual(self.owners(), ["n2"])
        self.b.kill()
        self.wait(2)
        self.successResultOf(draining)
        self.assertEqual(self.owners(), ["n1"])
        self.assertEqual(len(self.a.service.recordings), 1)
        self.assertEqual(src.bye().status, 200)
        self.wait(1)
        self.assertEqual((self.manifest["state"], self.manifest["nodes"]), ("complete", ["n1"]))

    def test_takerDiesLater(self) -> None:
        """
        If it dies with calls that it was given before, the node that drains
        takes those over, too, and what still drains sees them: nobody else does.
        """
        self.call(0, 1)
        self.successResultOf(self.drain(0))
        self.call(1, 2)
        self.b.kill()
        self.wait(0.6)
        self.assertEqual(self.owners(), ["n1", "n1"])
        self.assertEqual(len(self.a.calls), 2)

    def test_endedAgain(self) -> None:
        """
        They do not stay there: their peers are told with a BYE, and their
        recordings are finished.
        """
        src = self.call(0, 1)
        self.successResultOf(self.drain(0))
        self.b.kill()
        self.wait(0.6)
        self.a.wire.take()
        self.wait(1.5)
        bye, *_ = self.a.wire.take()
        assert isinstance(bye, Request)
        self.assertIn("cause=503", bye.headers.get("Reason") or "")
        src.answer(bye, 200)
        self.wait(1)
        self.assertEqual((self.a.calls, self.owners()), ([], []))
        self.assertEqual(
            (self.manifest["state"], self.manifest["endReason"]), ("complete", "drained")
        )

    def test_peerAsks(self) -> None:
        """
        A BYE of the peer that comes right then is answered before that.
        """
        src = self.call(0, 1)
        self.successResultOf(self.drain(0))
        self.b.kill()
        self.wait(0.6)
        self.a.wire.take()
        self.assertEqual(src.bye().status, 200)
        self.wait(3)
        self.assertEqual(self.manifest["endReason"], "bye")

    def test_givenAgain(self) -> None:
        """
        If another node has come meanwhile, it gets them.
        """
        self.call(0, 1)
        self.successResultOf(self.drain(0))
        self.b.kill()
        self.wait(0.6)
        later = self.make(3)
        self.nodes.append(later)
        later.start()
        self.wait(3)
        self.assertEqual((self.owners(), len(later.calls)), (["n3"], 1))

    def test_leftToOthers(self) -> None:
        """
        As long as there is another node that takes calls, those of a dead one
        are left to it.
        """
        later = self.make(3)
        self.nodes.append(later)
        later.start()
        self.wait(7)
        self.call(1, 1)
        self.drain(0)
        self.b.kill()
        self.wait(3)
        self.assertEqual((self.owners(), self.a.cluster.takeover.claimed), (["n3"], 0))

    def test_stop(self) -> None:
        """
        A node that stops before that leaves them for others.
        """
        self.call(0, 1)
        self.successResultOf(self.drain(0))
        self.b.kill()
        self.wait(0.6)
        self.a.cluster.emptying.stop()
        self.wait(3)
        self.assertEqual(len(self.a.calls), 1)

    def test_byeInBetween(self) -> None:
        """
        A BYE that comes to the giver while the taker has the call already is
        answered by the taker, by the way that it came.
        """
        src = self.call(0, 1)
        self.wires.deaf.add((self.b.node, self.a.node))
        draining = self.drain(0, 3)
        self.assertEqual((self.a.calls, len(self.b.calls)), ([], 1))
        self.assertEqual(src.bye().status, 200)
        self.wait(5)
        self.successResultOf(draining)
        self.assertEqual((self.b.calls, self.owners()), ([], []))
        self.assertEqual((self.manifest["state"], self.manifest["endReason"]), ("complete", "bye"))

    def test_byeBefore(self) -> None:
        """
        One that comes before it is clear who has the call waits until it is.
        """
        src = self.call(0, 1)
        self.b.workers.held = []
        draining = self.drain(0)
        self.assertEqual(src.send(src.make("BYE")), [])
        self.b.workers.finish()
        self.wait(1)
        answers = self.a.wire.take()
        self.assertEqual([each.status for each in answers if isinstance(each, Response)], [200])
        self.assertEqual(self.manifest["endReason"], "bye")
        self.wait(20)
        self.successResultOf(draining)

    def test_byeBack(self) -> None:
        """
        If the call comes back, the node that waited with it answers.
        """
        src = self.call(0, 1)
        self.b.workers.held = []
        draining = self.drain(0, 3)
        self.assertEqual(src.send(src.make("BYE")), [])
        self.b.workers.held = None
        self.b.kill()
        self.wait(4)
        self.successResultOf(draining)
        answers = self.a.wire.take()
        self.assertEqual([each.status for each in answers if isinstance(each, Response)], [200])
        self.wait(1)
        self.assertEqual((self.manifest["endReason"], self.manifest["nodes"]), ("bye", ["n1"]))


class TakersTests(ClusterTestCase):
    """
    Who takes calls.
    """

    count = 0

    def test_takers(self) -> None:
        """
        Those whose lease does not say that they drain.
        """
        one = NodeLease(NodeID("n1"), "i", "h", 1)
        two = NodeLease(NodeID("n2"), "i", "h", 1, data={DRAINING: True})
        self.assertEqual(takers([one, two]), [one])
        self.assertEqual(takers([two]), [])
        self.assertEqual(TAKE, "handover.take")
