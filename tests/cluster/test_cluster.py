"""
Tests of L{siprec.cluster.cluster}: what the parts tell one another.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from siprec.cluster.cluster import ARRIVING, LEAVING
from siprec.cluster.drain import DRAINING
from siprec.cluster.handover import Giver
from siprec.ids import NodeID
from tests.cluster.nodecase import ClusterTestCase
from tests.uas.kit import METADATA, offer


class ClusterTests(ClusterTestCase):
    """
    Two nodes.
    """

    def setUp(self) -> None:
        super().setUp()
        self.a, self.b = self.nodes

    def test_lease(self) -> None:
        """
        The lease says where the node is reached, and whether it drains; once it
        is not reached any more, no more than that.
        """
        self.assertEqual(self.a.cluster.leaseData(), {"cluster": {"address": "n1:1"}})
        self.a.service.draining = True
        self.assertTrue(self.a.cluster.leaseData()[DRAINING])
        self.a.links.running = False
        self.assertEqual(self.a.cluster.leaseData(), {DRAINING: True})
        self.a.links.running = True

    def test_leaseOf(self) -> None:
        """
        The lease of a node is known from when this one has arrived.
        """
        later = self.make(3)
        self.assertIsNone(later.cluster.greetings.leaseOf(self.a.node))
        self.successResultOf(Deferred.fromCoroutine(later.cluster.arrive()))
        lease = later.cluster.greetings.leaseOf(self.a.node)
        assert lease is not None
        self.assertEqual(lease.instance, "n1-1")
        self.assertIsNone(later.cluster.greetings.leaseOf(NodeID("n9")))

    def test_arrive(self) -> None:
        """
        A node that starts asks all others for its addresses; who is away, or
        who says no, does not keep it.
        """
        later = self.make(3)
        arriving: list[str] = []

        def refuse(peer: Any, body: Any) -> None:
            arriving.append(peer.nodeID)
            raise ValueError("no")

        self.a.links.handlers[ARRIVING] = refuse
        self.wires.cut.add(frozenset((later.node, self.b.node)))
        self.successResultOf(Deferred.fromCoroutine(later.cluster.arrive()))
        self.assertEqual(arriving, ["n3"])
        self.assertEqual(
            sorted((node, kind) for node, kind, _ in later.links.asked),
            [("n1", ARRIVING), ("n2", ARRIVING)],
        )

    def test_arriveAway(self) -> None:
        """
        Nor does a store that is away.
        """
        later = self.make(3)
        later.store.away = True
        self.successResultOf(Deferred.fromCoroutine(later.cluster.arrive()))
        self.assertEqual(later.links.asked, [])

    def test_addresses(self) -> None:
        """
        The SIP address of a dead node is taken, and given back when it asks.
        """
        self.b.kill()
        self.wait(1)
        self.assertEqual(self.a.wire.adopted, [("UDP", "192.0.2.102", 5060)])
        self.assertTrue(self.a.cluster.knowledge.unsettled())
        again = self.make(2)
        self.nodes.append(again)
        self.successResultOf(Deferred.fromCoroutine(again.cluster.arrive()))
        self.assertEqual(self.a.wire.adopted, [])
        again.start()
        self.wait(7)
        self.assertEqual(self.a.cluster.counters["joined"], 2)

    def test_counted(self) -> None:
        """
        What happens to other nodes is counted.
        """
        self.b.kill()
        self.wait(1)
        counters = self.a.cluster.counters
        self.assertEqual([counters[name] for name in ("joined", "suspected", "died")], [1, 1, 1])

    def test_leave(self) -> None:
        """
        A node that ends says so: the others take its addresses, as peers may
        still send there, and do not wait for its lease.
        """
        self.b.stop()
        self.assertEqual(self.a.cluster.membership.members, {})
        self.assertEqual(self.a.wire.adopted, [("UDP", "192.0.2.102", 5060)])
        self.assertEqual(self.a.cluster.counters["died"], 0)
        self.b.clock.dead = True

    def test_leaveUnheard(self) -> None:
        """
        Who does not answer does not keep it.
        """
        self.wires.deaf.add((self.b.node, self.a.node))
        leaving = Deferred.fromCoroutine(self.a.cluster.leave())
        self.wait(1.9)
        self.assertNoResult(leaving)
        self.wait(0.2)
        self.successResultOf(leaving)
        self.assertEqual([kind for _, kind, _ in self.a.links.asked], [LEAVING])

    def test_leaveTwice(self) -> None:
        """
        One that does not run has nobody to say good-bye to.
        """
        later = self.make(3)
        self.successResultOf(Deferred.fromCoroutine(later.cluster.leave()))
        self.assertEqual(later.links.asked, [])

    def test_giveAwayWaits(self) -> None:
        """
        What was given away is offered to the others once it is closed: a drain waits for
        that, within its time.
        """
        leaving: Deferred[None] = Deferred()
        self.patch(Giver, "left", lambda giver: leaving)
        draining = self.drain(0, 5.0)
        self.wait(1.0)
        self.assertNoResult(draining)
        leaving.callback(None)
        self.successResultOf(draining)

    def test_giveAwayInTime(self) -> None:
        """
        What is never closed does not hold a drain up for longer than it may take.
        """
        self.patch(Giver, "left", lambda giver: Deferred())
        draining = self.drain(0, 5.0)
        self.wait(4.9)
        self.assertNoResult(draining)
        self.wait(0.2)
        self.successResultOf(draining)

    def test_stranger(self) -> None:
        """
        The good-bye of a node that nobody knows is passed over.
        """
        later = self.make(3)
        self.assertIsNone(self.successResultOf(later.links.request(self.a.node, LEAVING, None)))
        self.assertEqual(self.a.wire.adopted, [])

    def test_unsettled(self) -> None:
        """
        For 64*T1 after a death first INVITEs may be other nodes'.
        """
        self.wait(32)
        self.assertFalse(self.a.cluster.knowledge.unsettled())
        self.b.kill()
        self.wait(1)
        self.assertTrue(self.a.cluster.knowledge.unsettled())

    def test_isDead(self) -> None:
        """
        Of a node that does not run nobody knows who is dead.
        """
        self.b.kill()
        self.wait(1)
        self.assertTrue(self.a.cluster.knowledge.isDead(self.b.node))
        self.assertFalse(self.make(3).cluster.knowledge.isDead(self.b.node))

    def test_takenOver(self) -> None:
        """
        The calls of a dead node go on, and can be ended.
        """
        src = self.call(1)
        self.b.kill()
        self.wait(1)
        self.assertEqual((self.owners(), self.a.cluster.takeover.claimed), (["n1"], 1))
        src.house = self.a  # type: ignore[assignment]
        self.assertEqual(src.update(metadata=METADATA).status, 200)
        self.assertEqual(src.bye().status, 200)
        self.wait(1)
        self.assertEqual(
            (self.manifest["state"], self.manifest["nodes"]), ("complete", ["n2", "n1"])
        )

    def test_orphans(self) -> None:
        """
        So do those of a node that this one has never seen.
        """
        self.call(1)
        [key] = self.memory.list(None)
        snapshot = self.record(key)
        self.b.recorder.letGo(key)
        self.b.state.adapter.forget(key)
        self.memory.claim(key, NodeID("n9"), snapshot.epoch)
        self.wait(12)
        self.assertNotEqual(self.owners(), ["n9"])
        self.assertEqual(len(self.a.calls) + len(self.b.calls), 1)

    def test_fenced(self) -> None:
        """
        A write that shows another owner ends the call here, without a word.
        """
        src = self.call()
        key = self.key()
        self.memory.claim(key, NodeID("n2"), 1)
        self.a.wire.take()
        src.send(src.make("UPDATE", body=(None, METADATA)))
        self.wait(0.1)
        self.assertEqual((self.a.calls, self.a.service.recordings), ([], {}))
        self.assertEqual(self.a.cluster.counters["fenced"], 1)
        self.assertEqual(self.sent(0), [])

    def test_moves(self) -> None:
        """
        Moves of media are counted by what the peers said.
        """
        self.assertEqual(self.a.cluster.moves(), {"moved": 0, "refused": 0})
        self.a.recorder.moves["moved"] += 2
        self.assertEqual(self.a.cluster.moves(), {"moved": 2, "refused": 0})

    def test_asleep(self) -> None:
        """
        A node that may have slept takes nothing until it knows its own calls.
        """
        self.assertTrue(self.a.cluster.coming.mayTake())
        self.assertTrue(self.a.cluster.coming.mayTakeOver())
        self.a.store.away = True
        self.a.cluster.wakefulness.doubt("the test says so")
        self.assertFalse(self.a.cluster.coming.mayTake())
        self.assertFalse(self.a.cluster.coming.mayTakeOver())
        self.a.store.away = False
        self.wait(1)
        self.assertTrue(self.a.cluster.coming.mayTake())

    def test_draining(self) -> None:
        """
        A node that drains takes no call, and of dead nodes only what no other
        node could take.
        """
        self.a.service.draining = True
        self.assertFalse(self.a.cluster.coming.mayTake())
        self.assertFalse(self.a.cluster.coming.mayTakeOver())
        self.b.service.draining = True
        self.wait(2)
        self.assertTrue(self.a.cluster.coming.mayTakeOver())
        self.assertFalse(self.a.cluster.coming.mayTake())

    def test_beingTakenUp(self) -> None:
        """
        It is known of a call that is just being given, at the one node, and
        taken, at the other.
        """
        self.call()
        key = self.key()
        self.assertIsNone(self.a.cluster.knowledge.beingTakenUp(key))
        self.b.workers.held = []
        giving = self.given()
        waiting = [each.cluster.knowledge.beingTakenUp(key) for each in self.nodes]
        for each in waiting:
            assert each is not None
            self.assertNoResult(each)
        self.b.workers.finish()
        self.successResultOf(giving)
        for each in waiting:
            assert each is not None
            self.successResultOf(each)
        self.assertEqual(
            [each.cluster.knowledge.beingTakenUp(key) for each in self.nodes], [None, None]
        )

    def test_has(self) -> None:
        """
        A node has the dialogs and the transactions that are its own.
        """
        src = self.call()
        bye = src.make("BYE")
        assert src.last is not None
        self.assertEqual([each.cluster.knowledge.has(bye) for each in self.nodes], [True, False])
        self.assertEqual(
            [each.cluster.knowledge.has(src.last) for each in self.nodes], [True, False]
        )

    def test_passOn(self) -> None:
        """
        A request that was about to be answered here, and is another node's, is
        answered by that.
        """
        src = self.call()
        self.wait(33)
        key = self.key()
        asked = src.make("INFO", body=(None, METADATA))

        def claim() -> None:
            self.successResultOf(self.given())

        [call] = self.a.calls
        self.a.around.passOn = self.a.cluster.passOn
        claim()
        self.assertEqual(src.ask(asked).status, 200)
        self.assertEqual(self.b.service.recordings[key].documents[-1].body, METADATA)  # type: ignore[index]
        self.assertTrue(call.fenced)

    def test_storeAway(self) -> None:
        """
        With the store away for a minute everybody goes on with its own calls,
        and nobody claims any.
        """
        peers = [self.call(0, 1), self.call(1, 2)]
        for each in self.nodes:
            each.store.away = True
        self.wait(60)
        for each in self.nodes:
            each.store.away = False
        self.wait(8)
        self.assertEqual([len(each.calls) for each in self.nodes], [1, 1])
        self.assertEqual([each.cluster.takeover.claimed for each in self.nodes], [0, 0])
        for src in peers:
            self.assertEqual(src.bye().status, 200)
        self.wait(1)
        self.assertEqual({each["state"] for each in self.manifests()}, {"complete"})
        self.assertEqual(self.owners(), [])

    def test_lapsed(self) -> None:
        """
        A node whose lease was over compares its calls with the store before it
        says anything.
        """
        self.call()
        key = self.key()
        self.a.store.away = True
        self.wait(0.2)
        self.memory.release(self.a.node, "n1-1")
        self.memory.claim(key, self.b.node, 1)
        self.a.store.away = False
        self.wait(2)
        self.assertEqual(self.a.cluster.wakefulness.pauses, 1)
        self.assertEqual(self.a.calls, [])


class OpeningTests(ClusterTestCase):
    """
    A node that dies between INVITE and 200.
    """

    def test_copy(self) -> None:
        """
        The copy of the INVITE that comes to another node is answered from the
        record, and makes no second call.
        """
        a, b = self.nodes
        src = self.call(0)
        [key] = self.memory.list(None)
        a.kill()
        self.wait(1)
        src.house = b  # type: ignore[assignment]
        assert src.last is not None
        src.send(src.last)
        self.wait(0.5)
        self.assertEqual(self.memory.list(None), [key])
        self.assertEqual(len(b.calls), 1)
        self.assertEqual(src.reinvite(sdp=offer(version=2)).status, 200)
