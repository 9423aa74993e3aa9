"""
Tests of L{siprec.cluster.taking}: what takers do of their own accord.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from siprec.cluster.errors import PeerFailed
from siprec.cluster.taking import ENDED, HAS, TAKE
from siprec.ids import NodeID
from siprec.store.interfaces import CorruptRecord
from tests.cluster.nodecase import ClusterTestCase


class TakeTests(ClusterTestCase):
    """
    One node has a call, and another is asked to take it.
    """

    def setUp(self) -> None:
        super().setUp()
        self.a, self.b = self.nodes
        self.src = self.call()
        self.key_ = self.key()

    def ask(self, kind: str = TAKE, **more: object) -> Deferred[Any]:
        """
        Ask C{n2}, as C{n1} would.
        """
        body = {"id": self.key_, "epoch": 1, "shared": True, "within": 10.0, **more}
        return self.a.links.request(self.b.node, kind, body, 60)

    def refused(self, asked: Deferred[Any]) -> str:
        """
        @return: why a call is not taken.
        """
        error = self.failureResultOf(asked, PeerFailed).value
        self.assertEqual(error.name, "NotTaken")
        return str(error.text)

    def drop(self) -> None:
        """
        C{n1} has the call no more, and says nothing.
        """
        self.a.recorder.letGo(self.key_)
        self.a.state.adapter.forget(self.key_)

    def test_taken(self) -> None:
        """
        What is taken is claimed, is told as an event, and counts.
        """
        self.assertEqual(self.successResultOf(self.ask()), {"moved": False})
        record = self.record(self.key_)
        self.assertEqual((record.nodeID, record.epoch), ("n2", 2))
        [live] = self.b.service.recordings.values()
        event = live.recording.events[-1]
        self.assertEqual(
            {name: event[name] for name in ("type", "node", "before", "epoch")},
            {"type": "handedOver", "node": "n2", "before": "n1", "epoch": 2},
        )
        self.assertEqual(self.b.cluster.taker.taken, 1)
        self.drop()

    def test_contact(self) -> None:
        """
        The taker has an address of its own for the peer.
        """
        self.successResultOf(self.ask())
        [call] = self.b.calls
        self.assertEqual(call.dialog.localContact, "<sip:192.0.2.102:5060>;+sip.srs")
        self.drop()

    def test_notReady(self) -> None:
        """
        A node that drains, or does not know whether it sleeps, takes nothing.
        """
        self.b.service.draining = True
        self.assertIn("takes no calls", self.refused(self.ask()))
        self.b.service.draining = False
        self.b.store.away = True
        self.b.cluster.wakefulness.doubt("the test says so")
        self.assertIn("takes no calls", self.refused(self.ask()))
        self.b.store.away = False
        self.assertEqual(self.owners(), ["n1"])
        self.wait(4)

    def test_otherEpoch(self) -> None:
        """
        A call that has changed its owner since is not taken.
        """
        self.refused(self.ask(epoch=7))
        self.assertEqual(self.owners(), ["n1"])

    def test_unknown(self) -> None:
        """
        Nor is one that nobody knows.
        """
        self.refused(self.ask(id="other"))

    def test_twice(self) -> None:
        """
        A call that is just being taken is not taken once more; who asks whether
        it is there learns how it ended.
        """
        self.b.workers.held = []
        first = self.ask()
        self.assertIn("just being taken", self.refused(self.ask()))
        has, waiting = self.ask(HAS), self.b.cluster.taker.beingTaken(self.key_)
        assert waiting is not None
        self.assertNoResult(has)
        self.b.workers.finish()
        self.successResultOf(first)
        self.successResultOf(waiting)
        self.assertTrue(self.successResultOf(has))
        self.assertIsNone(self.b.cluster.taker.beingTaken(self.key_))
        self.drop()

    def test_has(self) -> None:
        """
        A node has the calls that it records or finishes, and no others.
        """
        self.assertFalse(self.successResultOf(self.ask(HAS)))
        self.successResultOf(self.ask())
        self.drop()
        self.assertTrue(self.successResultOf(self.ask(HAS)))
        waiting: list[Deferred[dict[str, Any]]] = []
        self.b.renderer.waiting = waiting
        self.src.house = self.b  # type: ignore[assignment]
        self.src.bye()
        self.wait(1)
        self.assertEqual(self.b.calls, [])
        self.assertTrue(self.successResultOf(self.ask(HAS)))
        [rendering] = waiting
        rendering.callback(
            {"duration": 1.0, "streams": [], "gaps": [], "events": [], "audio": None}
        )
        self.assertFalse(self.successResultOf(self.ask(HAS)))

    def test_notRunning(self) -> None:
        """
        A call that is over, or has no snapshot, is none to go on with; it is
        left to the giver.
        """
        record = self.record(self.key_)
        assert record.snapshot is not None
        ended = evolve(record.snapshot.recording, state="finishing")
        for epoch, snapshot in ((1, None), (2, evolve(record.snapshot, recording=ended))):
            now = self.record(self.key_)
            self.memory.update(evolve(now, snapshot=snapshot), 3600)
            self.assertIn("no call to go on", self.refused(self.ask(epoch=epoch)))
            self.assertEqual(self.b.service.recordings, {})
        self.b.cluster.taker.stop()
        self.drop()

    def test_unreadable(self) -> None:
        """
        Where the descriptions cannot be read, what was begun is given back, and
        the ports are free again.
        """
        now = self.record(self.key_)
        assert now.snapshot is not None
        broken = evolve(now.snapshot, dialog=evolve(now.snapshot.dialog, localSDP=b"nonsense"))
        self.memory.update(evolve(now, snapshot=broken), 3600)
        self.refused(self.ask())
        self.assertEqual((self.b.service.recordings, self.b.ports.taken), ({}, []))
        self.assertEqual(self.b.calls, [])
        self.b.cluster.taker.stop()
        self.drop()

    def test_notFetched(self) -> None:
        """
        A call that the giver does not claim back within five seconds is taken
        up: its owner is this node, whatever became of the giver.
        """
        self.b.ports.free = 0
        self.refused(self.ask())
        self.b.ports.free = 100
        self.drop()
        self.wait(4.9)
        self.assertEqual(self.b.calls, [])
        self.wait(0.2)
        self.assertEqual((len(self.b.calls), self.owners()), (1, ["n2"]))

    def test_fetched(self) -> None:
        """
        One that the giver has claimed back is the giver's.
        """
        self.b.ports.free = 0
        self.refused(self.ask())
        self.memory.claim(self.key_, self.a.node, 2)
        self.drop()
        self.wait(6)
        self.assertEqual((self.b.calls, self.owners()), ([], ["n1"]))

    def test_gone(self) -> None:
        """
        One that has ended meanwhile needs nobody.
        """
        self.b.ports.free = 0
        self.refused(self.ask())
        self.memory.delete(self.key_, None, 0)
        self.drop()
        self.wait(6)
        self.assertEqual((self.b.calls, self.b.service.recordings), ([], {}))

    def test_claimInDoubt(self) -> None:
        """
        A claim that had no answer may have been made: then the call is taken up
        once the store is back, unless the giver was faster.
        """
        self.b.store.unanswered = {len(self.b.store.calls)}
        self.refused(self.ask())
        self.assertEqual(self.owners(), ["n2"])
        self.drop()
        self.b.store.away = True
        self.wait(7)
        self.assertEqual(self.b.calls, [])
        self.b.store.away = False
        self.wait(2)
        self.assertEqual((len(self.b.calls), self.owners()), (1, ["n2"]))

    def test_notReadable(self) -> None:
        """
        A record that nobody can read is logged, and that is all.
        """
        self.b.ports.free = 0
        self.refused(self.ask())
        self.drop()
        self.b.store.errors["get"] = CorruptRecord(self.key_, "no")
        self.wait(6)
        self.assertEqual(len(self.flushLoggedErrors(CorruptRecord)), 1)
        self.b.store.errors.clear()

    def test_stopped(self) -> None:
        """
        A node that stops waits for no giver.
        """
        self.b.ports.free = 0
        self.refused(self.ask())
        self.b.cluster.taker.stop()
        self.drop()
        self.wait(6)
        self.assertEqual(self.b.calls, [])

    def test_endedElsewhere(self) -> None:
        """
        The news of a segment of a call that has moved on, or of a segment that
        is not there, is passed over.
        """
        told = {"number": 1, "end": 5.0, "files": ["x"]}
        self.a.links.notify(self.b.node, ENDED, {"id": "other", **told})
        self.successResultOf(self.ask())
        self.drop()
        for number in (0, 2, 9):
            self.a.links.notify(self.b.node, ENDED, {"id": self.key_, **told, "number": number})
        [live] = self.b.service.recordings.values()
        self.assertNotIn(("x",), [each.files for each in live.recording.segments])


class DrainingTakerTests(ClusterTestCase):
    """
    A node that begins to drain while it takes a call.
    """

    count = 3
    byAddress = False

    def test_comingCall(self) -> None:
        """
        The call is given on only once it has come.
        """
        src = self.call()
        first = self.given()
        [request] = self.nodes[1].wire.take()
        [call] = self.nodes[1].calls
        lease = self.leases()[NodeID("n3")]
        early = Deferred.fromCoroutine(self.nodes[1].cluster.giver.give(call, lease))
        self.wait(4)
        self.assertFalse(self.successResultOf(early))
        src.house = self.nodes[1]  # type: ignore[assignment]
        src.answer(request, 488)  # type: ignore[arg-type]
        self.assertFalse(self.successResultOf(first))
        self.assertEqual(self.owners(), ["n1"])
