"""
Tests of L{siprec.cluster.continuing}.
"""

from __future__ import annotations

import os
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from siprec.ids import NodeID
from siprec.sdp.parse import BadSDP
from siprec.session.manifest import writeManifest
from siprec.session.model import OperatorPause
from siprec.session.recordings import Recordings
from siprec.sip.interfaces import FlowGone
from siprec.sip.message import Request
from tests.cluster.continuingcase import ContinuationTestCase
from tests.cluster.nodecase import ClusterTestCase
from tests.render.journals import talk, writeJournal
from tests.uas.house import START
from tests.uas.kit import PEER, Src, offer


class TakeOverTests(ContinuationTestCase):
    """
    A call of another node.
    """

    def test_goesOn(self) -> None:
        """
        It goes on in a new segment, with the ports that it had; the event says
        where from.
        """
        self.successResultOf(self.take())
        [live] = self.b.service.recordings.values()
        event = live.recording.events[-1]
        self.assertEqual(
            (event["type"], event["node"], event["before"], event["epoch"]),
            ("takenOver", "n2", "n1", 2),
        )
        self.assertEqual([port for port, _ in self.b.ports.claims], [11000, 11002])
        self.assertEqual(self.b.wire.take(), [])
        self.assertEqual(self.bye(), 200)
        self.wait(1)
        self.assertEqual(self.manifest["nodes"], ["n1", "n2"])
        self.assertEqual(self.manifest["state"], "complete")

    def test_noSnapshot(self) -> None:
        """
        A record of a program that keeps no calls here is no concern.
        """
        self.data = evolve(self.data, snapshot=None)
        empty = Deferred.fromCoroutine(self.b.continuation.takeOver(self.data, None))
        self.successResultOf(empty)
        self.assertEqual(self.b.service.recordings, {})

    def test_marker(self) -> None:
        """
        The marker of the dead node is no more; where that cannot be removed the
        call goes on all the same.
        """
        self.a.running.add(self.data.sessionID, self.data.recordingPath)  # type: ignore[arg-type]
        self.successResultOf(self.take())
        self.assertEqual((self.markers("n1"), self.markers("n2")), ([], [self.data.sessionID]))

    def test_markerStays(self) -> None:
        """
        See L{test_marker}.
        """

        def refuse(node: NodeID, recording: str) -> None:
            raise OSError(13, "no")

        self.patch(type(self.b.running), "forget", staticmethod(refuse))
        self.successResultOf(self.take())
        self.assertEqual(len(self.b.calls), 1)

    def test_finishing(self) -> None:
        """
        A recording whose call was over is finished, with its own reason; copies
        of the requests in it are still known as such, and make no new call.
        """
        self.successResultOf(self.take(state="finishing", endTime=START + 9, endReason="bye"))
        self.wait(1)
        self.assertEqual((self.b.calls, self.owners()), ([], []))
        self.assertEqual(
            (self.manifest["state"], self.manifest["endReason"]), ("incomplete", "bye")
        )
        self.src.house = self.b  # type: ignore[assignment]
        assert self.src.last is not None
        self.assertEqual(self.src.send(self.src.last), [])
        self.assertEqual(self.b.calls, [])

    def test_long(self) -> None:
        """
        A call of a node that nobody saw alive, and that gave no sign of life
        for too long, is over; one of a node that was there would have been
        ended by it.
        """
        self.clock.advance(3601)
        self.successResultOf(self.take(known=False))
        self.wait(1)
        self.assertEqual((self.b.calls, self.manifest["endReason"]), ([], "nodeDied"))

    def test_longButKnown(self) -> None:
        """
        See L{test_long}.
        """
        self.clock.advance(3601)
        self.successResultOf(self.take())
        self.assertEqual(len(self.b.calls), 1)

    def test_longButHeard(self) -> None:
        """
        Media is a sign of life: the journals tell.
        """
        path = os.path.join(self.data.recordingPath, "1-0.rtpdump")
        packets = [evolve(each, arrival=each.arrival + 3500) for each in talk(5)]
        writeJournal(path, packets)
        self.clock.advance(3601)
        self.successResultOf(self.take(known=False))
        self.assertEqual(len(self.b.calls), 1)

    def test_longButPaused(self) -> None:
        """
        Of a paused call nothing is in the journals: it may live.
        """
        self.clock.advance(3601)
        paused = OperatorPause(START, "x")
        self.successResultOf(self.take(known=False, pause=paused))
        [call] = self.b.calls
        assert call.live is not None
        self.assertEqual((call.live.recording.pause, call.live.taps.muted), (paused, True))

    def test_longAndGone(self) -> None:
        """
        Where the journals cannot be read there is none.
        """

        def fails(directory: str) -> None:
            raise OSError(5, "no")

        self.clock.advance(3601)
        self.patch(self.b.continuation, "_workers", _Failing(self.b.workers, "lastArrival"))
        self.successResultOf(self.take(known=False))
        self.wait(1)
        self.assertEqual(self.b.calls, [])

    def test_flow(self) -> None:
        """
        If no listener of ours can reach the peer, its flow stays as it was.
        """

        def gone(flow: object) -> None:
            raise FlowGone("no")

        self.patch(type(self.b.wire), "ours", staticmethod(gone))
        self.successResultOf(self.take())
        [call] = self.b.calls
        self.assertEqual(call.dialog.localContact, "<sip::0>;+sip.srs")

    def test_advertise(self) -> None:
        """
        Media that has to move is advertised at the configured address, or else
        at that which faces the peer.
        """
        assert self.data.snapshot is not None
        own = self.b.continuation.mediaPlan(self.data.snapshot, lambda host: True)
        self.assertEqual((own.bind, own.advertise), (None, "192.0.2.102"))
        self.b.continuation._advertise = "203.0.113.1"
        given = self.b.continuation.mediaPlan(self.data.snapshot, lambda host: True, True)
        self.assertEqual((given.advertise, given.shared), ("203.0.113.1", True))


class _Failing:
    """
    Workers, one kind of whose work fails.
    """

    def __init__(self, workers: Any, name: str) -> None:
        self.workers, self.name = workers, name

    def run(self, function: Any, *args: Any) -> Deferred[Any]:
        if function.__name__ == self.name:
            return Deferred.fromCoroutine(self.fail())
        found: Deferred[Any] = self.workers.run(function, *args)
        return found

    async def fail(self) -> None:
        raise OSError(5, "no")


class TroubleTests(ContinuationTestCase):
    """
    A call that cannot be taken up at once, or at all.
    """

    def test_noPorts(self) -> None:
        """
        Without room it is tried five times, a second apart.
        """
        self.b.ports.free = 0
        with capturedLogs() as events:
            taking = self.take()
            self.wait(3.5)
        self.assertNoResult(taking)
        self.assertEqual(len([each for each in events if "not taken up" in each["log_format"]]), 4)
        self.b.ports.free = 10
        self.wait(0.6)
        self.successResultOf(taking)
        self.assertEqual(len(self.b.calls), 1)

    def test_neverRoom(self) -> None:
        """
        After that what there is of it is finished, and the peer is told that
        there is no such call.
        """
        self.b.ports.free = 0
        taking = self.take()
        self.wait(5)
        self.successResultOf(taking)
        self.assertEqual((self.b.calls, self.owners()), ([], []))
        self.assertEqual(self.manifest["endReason"], "nodeDied")
        self.assertEqual(self.manifest["nodes"], ["n1"])
        self.assertEqual(self.bye(), 481)

    def test_noDirectory(self) -> None:
        """
        Where not even that can be done, the record stays for the next start.
        """

        def refuse(*args: object) -> None:
            raise OSError(28, "no space")

        self.patch(type(self.b.running), "add", staticmethod(refuse))
        taking = self.take()
        self.wait(5)
        self.successResultOf(taking)
        self.assertEqual(self.owners(), ["n2"])
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        self.assertEqual(self.b.ports.taken, [])

    def test_descriptions(self) -> None:
        """
        A snapshot whose descriptions cannot be read makes no call; what there
        is of it is kept.
        """
        snapshot = self.data.snapshot
        assert snapshot is not None
        broken = evolve(snapshot, dialog=evolve(snapshot.dialog, remoteSDP=b"nonsense"))
        self.data = evolve(self.data, snapshot=broken)
        self.successResultOf(self.take())
        self.wait(1)
        self.assertEqual(len(self.flushLoggedErrors(BadSDP)), 1)
        self.assertEqual((self.b.calls, self.b.ports.taken, self.owners()), ([], [], []))
        self.assertEqual(self.manifest["endReason"], "nodeDied")

    def test_finishedBefore(self) -> None:
        """
        A recording that is finished on the disk does not go on, whatever its record says:
        the process died before it could remove that.
        """
        snapshot = self.data.snapshot
        assert snapshot is not None
        final = {**self.manifest, "state": "complete"}
        writeManifest(snapshot.recording.directory, final)
        going = Deferred.fromCoroutine(self.b.continuation.goOn(snapshot, 1))
        self.assertIsNone(self.successResultOf(going))
        self.wait(1)
        self.assertEqual((self.b.calls, self.owners()), ([], []))
        self.assertEqual(self.manifest, final)

    def test_unforeseen(self) -> None:
        """
        So does an error that nobody foresaw.
        """

        async def fails(*args: object) -> None:
            raise ValueError("bug")

        self.patch(Recordings, "resume", fails)
        self.successResultOf(self.take())
        self.wait(1)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual((self.owners(), self.manifest["endReason"]), ([], "nodeDied"))


class ElsewhereTests(ContinuationTestCase):
    """
    The dead node's media address is not of this host.
    """

    byAddress = False

    def test_reinvite(self) -> None:
        """
        The peer is told where its media goes from now on.
        """
        self.successResultOf(self.take())
        [request] = self.b.wire.take()
        assert isinstance(request, Request)
        self.assertEqual(request.method, "INVITE")
        self.src.house = self.b  # type: ignore[assignment]
        self.src.answer(request, 200, ("Contact", self.src.contact), body=offer(version=2))
        self.assertEqual(self.b.ports.claims, [])


class WaitTests(ClusterTestCase):
    """
    A media address that moves from host to host.
    """

    def setUp(self) -> None:
        super().setUp()
        self.a, self.b = self.nodes
        self.call()
        self.here = False
        self.b.continuation._places._sharesNetwork = lambda lease: False
        self.b.continuation._places._canBind = lambda host: self.here
        self.b.continuation.addressWait = 2.0

    def take(self) -> Deferred[None]:
        """
        Take over the call.
        """
        key = self.key()
        data = self.memory.claim(key, self.b.node, 1)
        self.a.recorder.letGo(key)
        self.a.state.adapter.forget(key)
        self.b.state.adapter.learn(data)
        return Deferred.fromCoroutine(self.b.continuation.takeOver(data, self.leases()["n1"]))

    def test_comes(self) -> None:
        """
        It is waited for, and the ports are bound as soon as it is here.
        """
        taking = self.take()
        self.wait(1)
        self.assertNoResult(taking)
        self.here = True
        self.wait(0.1)
        self.successResultOf(taking)
        self.assertEqual([port for port, _ in self.b.ports.claims], [11000, 11002])

    def test_doesNotCome(self) -> None:
        """
        If it does not come in time, the media has to move.
        """
        taking = self.take()
        self.wait(1.9)
        self.assertNoResult(taking)
        self.wait(0.2)
        self.successResultOf(taking)
        self.assertEqual(self.b.ports.claims, [])
        [request] = self.b.wire.take()
        src = Src(self.b, callID=f"1@{PEER}")  # type: ignore[arg-type]
        src.answer(request, 200, body=offer(version=2))  # type: ignore[arg-type]
