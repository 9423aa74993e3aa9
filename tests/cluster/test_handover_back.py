"""
Tests of L{siprec.cluster.handover}: calls that are not taken, or of which
nobody can say who has them.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from siprec.cluster.errors import Refusal
from siprec.cluster.taking import TAKE
from siprec.sip.message import Request
from tests.cluster.nodecase import ClusterTestCase
from tests.uas.kit import METADATA


class BackTests(ClusterTestCase):
    """
    Calls that are not taken.
    """

    count = 3

    def setUp(self) -> None:
        super().setUp()
        self.a, self.b, self.c = self.nodes
        self.src = self.call()
        self.recordingID = self.key()

    def stays(self, epoch: int) -> None:
        """
        Assert that the call is the giver's as it was before, in this epoch; it
        can be saved and ended.
        """
        record = self.record(self.recordingID)
        self.assertEqual((record.nodeID, record.epoch), ("n1", epoch))
        self.assertEqual([pair.state for pair in self.a.ports.taken], ["", ""])
        self.assertEqual((self.b.calls, self.b.service.recordings), ([], {}))
        self.assertEqual(self.src.update(metadata=METADATA).status, 200)
        self.wait(0.1)
        self.assertEqual(
            (self.record(self.recordingID).nodeID, self.record(self.recordingID).epoch),
            ("n1", epoch),
        )
        self.assertEqual(len(self.manifest["metadata"]), 2)
        self.assertEqual(self.src.bye().status, 200)
        self.wait(1)
        self.assertEqual((self.manifest["state"], self.owners()), ("complete", []))
        self.assertEqual(self.manifest["nodes"], ["n1"])

    def test_refused(self) -> None:
        """
        A taker that drains refuses; then nothing has happened.
        """
        self.b.service.draining = True
        self.assertFalse(self.successResultOf(self.given()))
        self.stays(1)

    def test_full(self) -> None:
        """
        A taker without ports gives the call back: the giver owns it in an epoch
        above both.
        """
        self.b.ports.free = 0
        self.assertFalse(self.successResultOf(self.given()))
        self.stays(3)

    def test_unreachable(self) -> None:
        """
        Who cannot be asked has not taken anything; the store need not be asked.
        """
        self.wires.cut.add(frozenset((self.a.node, self.b.node)))
        before = self.a.store.calls.count("get")
        self.assertFalse(self.successResultOf(self.given()))
        self.assertEqual(self.a.store.calls.count("get"), before + 1)
        self.stays(1)

    def test_brokenOtherwise(self) -> None:
        """
        An error of the taker's says nothing: it is asked whether it has the call.
        """

        def fails(peer: object, body: object) -> None:
            self.memory.claim(self.recordingID, self.b.node, 1)
            raise ValueError("bug")

        self.b.links.handlers[TAKE] = fails
        self.assertFalse(self.successResultOf(self.given()))
        self.stays(3)

    def test_answerLost(self) -> None:
        """
        A taker whose answer does not come has the call, as the store says; it
        is asked, and as nobody can say otherwise, the giver leaves it.
        """
        self.wires.deaf.add((self.b.node, self.a.node))
        giving = self.given(until=self.clock.seconds() + 2)
        self.wait(1.9)
        self.assertNoResult(giving)
        self.assertEqual(len(self.a.service.recordings), 1)
        self.wait(8)
        self.assertTrue(self.successResultOf(giving))
        self.assertEqual((self.owners(), len(self.b.calls)), (["n2"], 1))
        self.assertEqual((self.a.calls, self.a.service.recordings), ([], {}))

    def test_answerLate(self) -> None:
        """
        A taker that says so when it is asked again has it.
        """
        self.wires.deaf.add((self.b.node, self.a.node))
        giving = self.given(until=self.clock.seconds() + 2)
        self.wait(1)
        self.wires.deaf.clear()
        self.wait(1.1)
        self.assertTrue(self.successResultOf(giving))
        self.assertEqual((self.owners(), len(self.b.calls)), (["n2"], 1))

    def test_takerDies(self) -> None:
        """
        If the taker dies with the call, the giver, which has captured all the
        time, or another node has it; not both, and not nobody.
        """
        self.wires.deaf.add((self.b.node, self.a.node))
        giving = self.given()
        self.assertEqual(self.owners(), ["n2"])
        self.a.service.draining = True
        self.b.kill()
        self.wait(3)
        given = self.successResultOf(giving)
        have = [bool(each.calls) for each in (self.a, self.c)]
        self.assertEqual(have, [not given, given])
        self.assertEqual(self.owners(), ["n3" if given else "n1"])

    def test_takerFreezes(self) -> None:
        """
        The same where it is silent, from the end of its lease on.
        """
        self.wires.deaf.add((self.b.node, self.a.node))
        giving = self.given()
        self.b.vanish()
        self.wait(1.5)
        self.assertNoResult(giving)
        self.wait(6)
        given = self.successResultOf(giving)
        have = [bool(each.calls) for each in (self.a, self.c)]
        self.assertEqual(have, [not given, given])

    def test_claimedByThird(self) -> None:
        """
        A call that a third node has by then is that one's.
        """
        self.wires.deaf.add((self.b.node, self.a.node))
        giving = self.given(until=self.clock.seconds() + 2)
        self.memory.claim(self.recordingID, self.c.node, 2)
        self.wait(2.1)
        self.assertTrue(self.successResultOf(giving))
        self.assertEqual(self.a.calls, [])

    def test_endedThere(self) -> None:
        """
        A call that has been ended meanwhile is not the giver's to keep.
        """
        self.wires.deaf.add((self.b.node, self.a.node))
        giving = self.given(until=self.clock.seconds() + 2)
        self.src.house = self.b  # type: ignore[assignment]
        self.assertEqual(self.src.bye().status, 200)
        self.wait(3)
        self.assertTrue(self.successResultOf(giving))
        self.assertEqual((self.a.calls, self.owners()), ([], []))
        self.assertEqual(self.manifest["endReason"], "bye")

    def test_numbersRise(self) -> None:
        """
        The peer may have heard of the taker: after that the giver's own
        requests have higher numbers.
        """
        self.b.ports.free = 0
        [call] = self.a.calls
        before = call.dialog.localCSeq
        self.successResultOf(self.given())
        call.stop(503, "drained")
        [bye] = self.a.wire.take()
        assert isinstance(bye, Request)
        self.assertGreater(bye.cseq.number, before + 200)
        self.src.answer(bye, 200)
        self.wait(1)

    def test_timers(self) -> None:
        """
        A call that came back has its session timer, as it was.
        """
        src = self.call(0, 2, ("Supported", "timer"), ("Session-Expires", "1800"))
        call = next(each for each in self.a.calls if each.dialog.callID == src.callID)
        self.wait(100)
        elapsed = call.timer.elapsed
        self.b.service.draining = True
        lease = self.leases()["n2"]
        given = self.a.cluster.giver.give(call, lease)
        self.assertFalse(self.successResultOf(Deferred.fromCoroutine(given)))
        self.assertAlmostEqual(call.timer.elapsed, elapsed)
        self.clock.advance(1800 - 32 - elapsed + 1)
        self.assertIn("BYE", self.sent(0))

    def test_coming(self) -> None:
        """
        A call that is just coming to a node is not given away by it yet.
        """
        self.successResultOf(self.given())
        self.b.cluster.coming.keys.add(self.recordingID)
        self.assertFalse(self.successResultOf(self.given(1, 2)))
        self.b.cluster.coming.keys.clear()
        self.assertTrue(self.successResultOf(self.given(1, 2)))
        self.assertEqual(self.owners(), ["n3"])


class DoubtTests(ClusterTestCase):
    """
    While the store is away nobody can say who has a call.
    """

    def setUp(self) -> None:
        super().setUp()
        self.a, self.b = self.nodes
        self.src = self.call()
        self.recordingID = self.key()

    def doubt(self) -> None:
        """
        Give a call, and lose the store and the answer.
        """
        self.wires.deaf.add((self.b.node, self.a.node))
        giving = self.given(until=self.clock.seconds() + 1)
        self.a.store.away = True
        self.wait(10)
        self.assertFalse(self.successResultOf(giving))
        self.assertEqual(len(self.a.calls), 1)

    def test_taken(self) -> None:
        """
        The first write tells; if the taker has it, it is let go of.
        """
        self.doubt()
        self.wires.deaf.clear()
        self.a.store.away = False
        self.src.update(metadata=METADATA)
        self.wait(1)
        self.assertEqual((self.a.calls, self.a.service.recordings), ([], {}))
        self.assertEqual((self.owners(), len(self.b.calls)), (["n2"], 1))
        self.assertEqual(self.a.cluster.counters["fenced"], 1)

    def test_notTaken(self) -> None:
        """
        If the taker has not, it is claimed back and goes on.
        """

        def fails(peer: object, body: object) -> Deferred[None]:
            self.memory.claim(self.recordingID, self.b.node, 1)
            return Deferred()

        self.b.links.handlers[TAKE] = fails
        self.doubt()
        self.wires.deaf.clear()
        self.a.store.away = False
        self.src.update(metadata=METADATA)
        self.wait(1)
        self.assertEqual((len(self.a.calls), self.owners()), (1, ["n1"]))
        self.assertEqual(self.a.cluster.counters["fenced"], 0)
        self.src.bye()
        self.wait(1)
        self.assertEqual((self.manifest["state"], self.owners()), ("complete", []))

    def test_refused(self) -> None:
        """
        A refusal of which the store says nothing leaves the call here.
        """

        def refuses(peer: object, body: object) -> None:
            self.a.store.away = True
            raise Refusal("no")

        self.b.links.handlers[TAKE] = refuses
        giving = self.given()
        self.wait(6)
        self.assertFalse(self.successResultOf(giving))
        self.a.store.away = False
        self.wait(5)
        self.assertEqual((len(self.a.calls), self.owners()), (1, ["n1"]))
