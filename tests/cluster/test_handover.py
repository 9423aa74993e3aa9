"""
Tests of L{siprec.cluster.handover}: the giver's half, with a taker that does its
part.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from siprec.cluster.taking import ENDED, TAKE
from siprec.ids import NodeID
from siprec.sip.message import Request
from tests.cluster.nodecase import ClusterTestCase
from tests.uas.kit import METADATA, Src, lines, offer


class GiveTests(ClusterTestCase):
    """
    Ports go over, as on one host.
    """

    def setUp(self) -> None:
        super().setUp()
        self.a, self.b = self.nodes
        self.src = self.call()
        self.recordingID = self.key()

    def test_given(self) -> None:
        """
        The taker owns the call and has its ports; the peer hears nothing of it,
        and the giver knows the call no more.
        """
        ports = [each.port for each in self.snapshot(self.recordingID).recording.streams]
        self.assertTrue(self.successResultOf(self.given()))
        self.assertEqual(self.owners(), ["n2"])
        self.assertEqual([self.sent(0), self.sent(1)], [[], []])
        self.assertEqual(self.b.ports.claims, [(port, True) for port in ports])
        self.assertEqual((self.a.calls, self.a.service.recordings), ([], {}))
        self.assertEqual((self.a.cluster.giver.given, self.b.cluster.taker.taken), (1, 1))
        self.src.house = self.b  # type: ignore[assignment]
        self.assertEqual(self.src.bye().status, 200)
        self.wait(1)
        self.assertEqual(self.manifest["nodes"], ["n1", "n2"])
        self.assertEqual((self.manifest["state"], self.owners()), ("complete", []))
        self.assertEqual((self.markers("n1"), self.markers("n2")), ([], []))

    def test_order(self) -> None:
        """
        The giver's sockets are shared before the taker binds them, and get no
        packet more before they are closed.
        """
        states: list[list[str]] = []

        def look(node: NodeID, kind: str) -> None:
            if kind in (TAKE, ENDED):
                states.append([pair.state for pair in self.a.ports.taken])

        self.a.links.onAsked = look
        pairs = list(self.a.ports.taken)
        self.successResultOf(self.given())
        self.assertEqual(states, [["shared", "shared"], []])
        self.assertEqual([pair.state for pair in pairs], ["diverted", "diverted"])
        self.assertEqual(self.a.capture.quiet, [])

    def test_ended(self) -> None:
        """
        The taker learns when the last packet came to the giver, and in which
        journals they are.
        """
        for stream in self.a.capture.attached:
            stream.firstArrival, stream.lastArrival = self.a.now() - 5, self.a.now() - 2
        last = self.a.now() - 2
        self.successResultOf(self.given())
        [segment, _] = self.b.service.recordings[self.recordingID].recording.segments  # type: ignore[index]
        self.assertEqual((segment.node, segment.end), ("n1", last))
        self.assertEqual(segment.files, ("1-0.rtpdump", "1-1.rtpdump"))
        self.assertEqual(self.snapshot(self.recordingID).recording.segments[0], segment)

    def test_notTold(self) -> None:
        """
        A taker that cannot be told of that has the call all the same.
        """

        def cut(node: NodeID, kind: str) -> None:
            if kind == ENDED:
                self.wires.cut.add(frozenset(("n1", "n2")))  # type: ignore[arg-type]

        self.a.links.onAsked = cut
        self.assertTrue(self.successResultOf(self.given()))
        self.assertEqual(self.a.service.recordings, {})

    def test_cannotShare(self) -> None:
        """
        Where ports cannot be shared, the taker binds its own.
        """
        self.a.ports.refusal = OSError(1, "no")
        giving = self.given()
        [request] = self.b.wire.take()
        self.src.house = self.b  # type: ignore[assignment]
        assert isinstance(request, Request)
        self.src.answer(request, 200, body=offer(version=2))
        self.assertTrue(self.successResultOf(giving))

    def test_cannotDivert(self) -> None:
        """
        Ports that cannot be left to the taker are closed at once.
        """

        def refuse(node: NodeID, kind: str) -> None:
            self.a.ports.refusal = OSError(1, "no")

        self.a.links.onAsked = refuse
        with capturedLogs() as events:
            self.assertTrue(self.successResultOf(self.given()))
        self.assertIn(
            "n2", [each.get("node") for each in events if "not left" in each["log_format"]]
        )
        self.assertEqual((self.a.ports.taken, self.a.service.recordings), ([], {}))

    def test_metrics(self) -> None:
        """
        What the giver counted of the media stays counted.
        """
        self.a.capture.attached[0].packets = 50
        self.successResultOf(self.given())
        self.assertEqual(self.a.service.media("packets"), 50)

    def test_twice(self) -> None:
        """
        A call that is being given is not given to another node, too.
        """
        self.wires.deaf.add((self.b.node, self.a.node))
        [call] = self.a.calls
        first = self.given()
        again = self.a.cluster.giver.give(call, self.leases()["n2"])
        self.assertFalse(self.successResultOf(Deferred.fromCoroutine(again)))
        self.wires.deaf.clear()
        self.wait(50)
        self.assertTrue(self.successResultOf(first))


class NotNowTests(ClusterTestCase):
    """
    Calls that cannot be given right now.
    """

    def setUp(self) -> None:
        super().setUp()
        self.a, self.b = self.nodes

    def src(self) -> Src:
        """
        @return: a peer that has not called yet.
        """
        return Src(self.a)  # type: ignore[arg-type]

    def test_opening(self) -> None:
        """
        A call whose INVITE is not answered stays, even when its recording has
        begun; one without an ACK does so, too, until that comes.
        """
        self.wait(32)  # from then on a first INVITE need not be looked up
        src = self.src()
        self.a.store.held = []
        src.send(src.make("INVITE", body=(offer(), METADATA)))
        [call] = self.a.calls
        self.assertIsNotNone(call.live)
        self.assertTrue(call.busy)
        giving = self.given()
        self.wait(1)
        self.assertNoResult(giving)
        held, self.a.store.held = self.a.store.held, None
        for each in held:
            each()
        [response, *_] = self.a.wire.take()
        src.toTag = response.toTag
        self.wait(0.5)
        self.assertNoResult(giving)
        src.ack()
        self.wait(0.1)
        self.assertTrue(self.successResultOf(giving))

    def test_neverQuiet(self) -> None:
        """
        It is waited for three seconds, or until the time is over.
        """
        src = self.src()
        src.invite()
        long, short = self.given(), self.given(until=self.clock.seconds() + 1)
        self.wait(0.6)
        self.assertFalse(self.successResultOf(short))
        self.wait(2.3)
        self.assertNoResult(long)
        self.wait(0.2)
        self.assertFalse(self.successResultOf(long))
        self.assertEqual(self.owners(), ["n1"])
        self.a.wire.take()
        src.ack()

    def test_noRecording(self) -> None:
        """
        A call that has no recording yet stays.
        """
        self.a.workers.held = []
        src = self.src()
        src.send(src.make("INVITE", body=(offer(), METADATA)))
        self.assertFalse(self.successResultOf(self.given()))
        self.a.workers.finish()
        self.wait(0.1)
        [response] = self.a.wire.take()
        src.toTag = response.toTag
        src.ack()

    def test_over(self) -> None:
        """
        A call that ends while it is waited for is not given.
        """
        src = self.src()
        src.invite()
        giving = self.given()
        src.bye()
        self.wait(0.1)
        self.assertFalse(self.successResultOf(giving))

    def test_noTime(self) -> None:
        """
        Without time nobody is asked.
        """
        self.call()
        self.assertFalse(self.successResultOf(self.given(until=self.clock.seconds() + 0.1)))
        self.assertEqual(self.a.links.asked, [])

    def test_refreshing(self) -> None:
        """
        A refresh of ours that is not answered yet is waited for.
        """
        src = self.call(
            0,
            1,
            ("Supported", "timer"),
            ("Session-Expires", "1800;refresher=uas"),
            ("Allow", "UPDATE"),
        )
        self.clock.advance(900)
        self.wait(0.1)
        [request] = self.a.wire.take()
        assert isinstance(request, Request)
        giving = self.given()
        self.wait(0.2)
        self.assertNoResult(giving)
        src.answer(request, 200)
        self.wait(0.1)
        self.assertTrue(self.successResultOf(giving))

    def test_away(self) -> None:
        """
        With the store away a call stays, as it was.
        """
        self.call()
        self.a.store.away = True
        giving = self.given()
        self.wait(1)
        self.assertFalse(self.successResultOf(giving))
        self.assertEqual((len(self.a.calls), self.a.links.asked), (1, []))

    def test_anothersAlready(self) -> None:
        """
        A call that another node has claimed is let go of.
        """
        self.call()
        key = self.key()
        self.memory.claim(key, NodeID("n9"), 1)
        self.assertTrue(self.successResultOf(self.given()))
        self.assertEqual((self.a.calls, self.a.service.recordings), ([], {}))
        self.assertEqual(self.a.cluster.giver.given, 0)


class MovedTests(ClusterTestCase):
    """
    Nodes on different hosts: the media moves by a re-INVITE.
    """

    byAddress = False

    def setUp(self) -> None:
        super().setUp()
        self.a, self.b = self.nodes
        self.src = self.call()
        self.recordingID = self.key()

    def asked(self) -> Request:
        """
        @return: what the taker asks the peer, whose answers go to it.
        """
        self.src.house = self.b  # type: ignore[assignment]
        [request] = self.b.wire.take()
        assert isinstance(request, Request)
        return request

    def test_moved(self) -> None:
        """
        The giver captures until the taker has the media and its own sockets
        have been silent; nobody waits for that.
        """
        self.a.capture.waiting = []
        giving = self.given()
        request = self.asked()
        self.assertNoResult(giving)
        self.assertEqual(len(self.a.capture.attached), 2)
        self.assertEqual([line[0] for line in lines(request)], [12000, 12002])
        self.src.answer(request, 200, ("Contact", self.src.contact), body=offer(version=2))
        self.assertTrue(self.successResultOf(giving))
        self.assertEqual([quiet for _, quiet in self.a.capture.quiet], [0.5, 0.5])
        self.assertEqual([linger for _, linger in self.a.capture.detached], [10.0, 10.0])
        self.assertEqual((self.a.calls, len(self.a.service.recordings)), ([], 1))
        left = self.a.cluster.giver.left()
        self.assertNoResult(left)
        waiting, self.a.capture.waiting = self.a.capture.waiting, None
        for stopped, (stream, _) in zip(waiting, self.a.capture.detached, strict=True):
            stopped.callback(stream)
        self.successResultOf(left)
        self.assertEqual(self.a.service.recordings, {})

    def test_488(self) -> None:
        """
        A peer that does not take the taker's media keeps the giver.
        """
        giving = self.given()
        self.src.answer(self.asked(), 488)
        self.assertFalse(self.successResultOf(giving))
        self.src.house = self.a  # type: ignore[assignment]
        self.assertEqual((self.owners(), len(self.a.calls)), (["n1"], 1))
        self.assertEqual(self.src.update(metadata=METADATA).status, 200)
        [call] = self.a.calls
        call.stop(503, "drained")
        [bye] = [each for each in self.a.wire.take() if isinstance(each, Request)]
        self.assertGreater(bye.cseq.number, 200)
        self.src.answer(bye, 200)
        self.wait(1)

    def test_silentPeer(self) -> None:
        """
        A peer that does not answer costs no more than the giver's patience: the
        call is back before that is over.
        """
        giving = self.given(until=self.clock.seconds() + 10)
        self.asked()
        self.wait(7.9)
        self.assertNoResult(giving)
        self.wait(0.2)
        self.assertFalse(self.successResultOf(giving))
        self.assertEqual((self.owners(), len(self.a.calls)), (["n1"], 1))

    def test_bye(self) -> None:
        """
        A BYE that comes to the taker in mid-hand-over ends the call there, and
        the giver does not have it either.
        """
        giving = self.given()
        self.asked()
        self.assertEqual(self.src.bye().status, 200)
        self.wait(0.1)
        self.assertTrue(self.successResultOf(giving))
        self.wait(11)
        self.assertEqual((self.a.calls, self.b.calls, self.owners()), ([], [], []))
        self.assertEqual(
            (self.manifest["endReason"], self.manifest["nodes"]), ("bye", ["n1", "n2"])
        )

    def test_giverDies(self) -> None:
        """
        If the giver dies in mid-hand-over, the taker goes on with it.
        """
        self.given()
        request = self.asked()
        self.a.kill()
        self.src.answer(request, 200, ("Contact", self.src.contact), body=offer(version=2))
        self.wait(3)
        self.assertEqual((self.owners(), len(self.b.calls)), (["n2"], 1))

    def test_giverDiesAndPeerRefuses(self) -> None:
        """
        The same where the peer refuses: nobody comes to claim the call back, so
        the taker takes it up as it would any of a dead node.
        """
        self.given()
        request = self.asked()
        self.a.kill()
        self.src.answer(request, 488)
        self.wait(4.5)
        self.assertEqual(self.b.calls, [])
        self.wait(1)
        self.assertEqual((self.owners(), len(self.b.calls)), (["n2"], 1))
