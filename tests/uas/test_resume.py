"""
Tests for L{siprec.uas.resume}, and for L{siprec.recorder.Recorder.resume}.
"""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred

from siprec.sdp.parse import BadSDP
from siprec.testing.offer import makeMetadata
from tests.uas.again import AgainTestCase
from tests.uas.house import START
from tests.uas.kit import ONE, THREE, TWO, Src, lines, offer, sdp

HELD = (evolve(ONE, direction="inactive"), TWO)
LATER = makeMetadata(["Ann", "Carol"], ["1", "2"])
BOTH = [(10000, "recvonly", "1"), (10002, "recvonly", "2")]
TIMER = ("Supported", "timer")


class ResumeTests(AgainTestCase):
    """
    The peer does not notice.
    """

    def test_inDialog(self) -> None:
        """
        UPDATE, re-INVITE, OPTIONS and BYE with the same tags are answered, and
        the recording ends as one with two segments.
        """
        self.src.call()
        self.again()
        self.assertEqual(self.src.update(metadata=LATER).status, 200)
        self.assertEqual(self.src.ask(self.src.make("OPTIONS")).status, 200)
        self.assertEqual(lines(self.src.reinvite(sdp=offer(version=2))), BOTH)
        self.assertEqual(self.src.bye().status, 200)
        manifest = self.house.manifest
        self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "bye"))
        self.assertEqual(len(manifest["segments"]), 2)
        self.assertEqual([each["file"] for each in manifest["metadata"]][1:], ["metadata-2.xml"])
        self.assertEqual(self.house.document(2), LATER)
        self.assertEqual(self.house.recorder.calls, {})

    def test_A19_version(self) -> None:
        """
        The answer to the same offer is the same to the byte; one that changed
        has the next version of the same C{o=}.
        """
        first = self.src.call()
        self.again()
        self.assertEqual(self.src.reinvite(sdp=offer()).body, first.body)
        held = self.src.reinvite(sdp=offer(*HELD, version=2))
        self.assertEqual(sdp(held).origin.sessionID, sdp(first).origin.sessionID)
        self.assertEqual(sdp(held).origin.version, 2)

    def test_offerless(self) -> None:
        """
        Asked for our offer, we repeat what holds: a held line stays inactive.
        """
        self.src.call()
        held = self.src.reinvite(sdp=offer(*HELD, version=2))
        self.again()
        response = self.src.ask(self.src.make("INVITE"))
        self.assertEqual(response.body, held.body)
        self.src.ack(body=(offer(*HELD, version=2), None))
        self.assertEqual(self.house.events().count("streamPaused"), 1)

    def test_afterPeersAnswer(self) -> None:
        """
        Where the peer's last description was an answer, which need not name
        labels and formats, those of ours hold.
        """
        first = self.src.call()
        self.src.ask(self.src.make("INVITE"))
        bare = offer(version=2).replace(b"a=label:1\r\n", b"").replace(b"a=label:2\r\n", b"")
        self.src.ack(body=(bare, None))
        self.again()
        self.assertEqual(self.src.ask(self.src.make("INVITE")).body, first.body)
        self.src.ack(body=(bare, None))

    def test_refusedLine(self) -> None:
        """
        A line that was given up stays so, and another one in its place is
        another stream.
        """
        self.src.call()
        self.src.reinvite(sdp=offer(evolve(ONE, port=0), TWO, version=2))
        self.again()
        self.assertEqual([pair.rtpPort for pair in self.house.ports.taken], [10002])
        offered = self.src.ask(self.src.make("INVITE"))
        self.assertEqual(lines(offered), [(0, "inactive", "1"), (10002, "recvonly", "2")])
        self.src.ack(body=(offer(evolve(ONE, port=0), TWO, version=2), None))
        self.assertEqual(len(lines(self.src.reinvite(sdp=offer(THREE, TWO, version=3)))), 2)
        self.assertEqual([each["index"] for each in self.house.manifest["streams"]], [0, 1, 2])

    def test_G4_ownNumbers(self) -> None:
        """
        Our own requests have numbers far above the saved one, which another
        request of the dead process may have used (CONFORMANCE G.4).
        """
        self.src.call()
        snapshot = self.kill()
        self.start()
        self.resume(snapshot)
        self.assertEqual(self.house.store.saved[-1].dialog.localCSeq, 100)
        self.house.recorder.stopCalls(503, "drained")
        bye = self.only(self.house.wire.take(), "BYE")
        self.assertEqual(bye.cseq.number, snapshot.dialog.localCSeq + 101)
        self.assertEqual((bye.fromTag, bye.toTag), (self.src.toTag, "theirs"))

    def test_repeated(self) -> None:
        """
        A request that was saved before there was an answer to it is answered
        when it comes again; what is older is refused.
        """
        self.src.call()
        self.src.update(metadata=LATER)
        number = self.src.cseq
        snapshot = self.kill()
        self.start()
        self.resume(evolve(snapshot, dialog=evolve(snapshot.dialog, finals=())))
        again = self.src.make("UPDATE", body=(None, LATER), cseq=number)
        self.assertEqual(self.src.ask(again).status, 200)
        other = self.src.make("UPDATE", body=(None, LATER), cseq=number)
        self.assertEqual(self.src.ask(other).status, 500)

    def test_lowerCSeq(self) -> None:
        """
        What is older is refused (RFC 3261 section 12.2.2).
        """
        self.src.call()
        self.src.update(metadata=LATER)
        self.again()
        older = self.src.make("UPDATE", body=(None, LATER), cseq=1)
        self.assertEqual(self.src.ask(older).status, 500)

    def test_connection(self) -> None:
        """
        A connection died with its process: our requests take a new one, to the
        peer's Contact, until the peer comes by another.
        """
        self.src = Src.overTCP(self.house)
        self.src.call()
        snapshot = self.kill()
        house = self.start()
        call = self.resume(snapshot)
        self.assertEqual(call.flow, evolve(self.src.flow, connection=0))
        house.wire.closed.add(call.flow)
        house.recorder.stopCalls(503, "drained")
        [(flow, _)] = house.wire.sent
        self.assertEqual((flow.transport, flow.remote), ("TCP", ("192.0.2.7", 5060)))

    def test_unreadable(self) -> None:
        """
        Descriptions that cannot be read make no call.
        """
        self.src.call()
        snapshot = self.kill()
        house = self.start()
        live = self.resumeRecording(snapshot)
        bad = evolve(snapshot, dialog=evolve(snapshot.dialog, localSDP=b"?"))
        resuming = Deferred.fromCoroutine(house.recorder.resume(bad, live))
        self.failureResultOf(resuming, BadSDP)
        self.assertEqual(house.recorder.calls, {})
        self.successResultOf(house.service.finish(live, "nodeDied"))

    def test_saved(self) -> None:
        """
        The new state is in the store: another death costs no more.
        """
        self.src.call(("Allow", "INVITE, UPDATE"))
        self.again()
        self.first = self.house
        self.again()
        saved = self.house.store.saved[-1]
        self.assertEqual(saved.dialog.localCSeq, 200)
        self.assertEqual(saved.dialog.peerAllows, ("INVITE", "UPDATE"))
        self.assertEqual(len(saved.recording.segments), 3)
        self.assertEqual(lines(self.src.reinvite(sdp=offer(version=2))), BOTH)


class SavedTests(AgainTestCase):
    """
    The store knows what going on needs, at every moment.
    """

    def test_acknowledged(self) -> None:
        """
        After the ACK the dialog is confirmed; an ACK that comes again is no
        news.
        """
        self.src.invite()
        self.assertFalse(self.house.store.saved[-1].dialog.confirmed)
        self.src.ack()
        self.assertTrue(self.house.store.saved[-1].dialog.confirmed)
        saved = len(self.house.store.saved)
        self.src.ack()
        self.assertEqual(len(self.house.store.saved), saved)

    def test_ownRequest(self) -> None:
        """
        A number of ours is saved as soon as it is used.
        """
        self.src.call(TIMER, ("Session-Expires", "90;refresher=uas"), ("Allow", "UPDATE"))
        self.only(self.house.wait(45), "UPDATE")
        self.assertEqual(self.house.store.saved[-1].dialog.localCSeq, 1)


class TimerTests(AgainTestCase):
    """
    The session timer goes on (RFC 4028; CONFORMANCE G.4).
    """

    def _call(self, refresher: str) -> None:
        expires = ("Session-Expires", f"120;refresher={refresher}")
        self.src.call(TIMER, expires, ("Allow", "INVITE, UPDATE"))

    def test_peers(self) -> None:
        """
        It runs out when it would have, by the time of day; that a snapshot was
        saved later does not move it.
        """
        self._call("uac")
        self.house.wait(20)
        self.src.ask(self.src.make("INFO", body=(None, LATER)))
        self.assertEqual(self.house.store.saved[-1].dialog.sessionExpires, START + 120)
        self.again(10)
        self.assertEqual(self.house.wait(57.875), [])
        self.only(self.house.wait(0.25), "BYE")

    def test_ours(self) -> None:
        """
        A refresh of ours is sent when it is due, or at once if that is over.
        """
        self._call("uas")
        self.again(20)
        self.assertEqual(self.house.wait(39.875), [])
        request = self.only(self.house.wait(0.25), "UPDATE")
        self.assertEqual(request.headers.get("Session-Expires"), "120;refresher=uac")

    def test_oursLate(self) -> None:
        """
        One that is overdue is sent at once.
        """
        self._call("uas")
        self.again(100)
        self.only(self.house.wait(0.125), "UPDATE")

    def test_expiredButAlive(self) -> None:
        """
        One that ran out while nobody was there: the call lives on as long as
        its media does.
        """
        self._call("uac")
        self.again(500)
        self.house.wait(29)
        self.house.capture.attached[0].lastArrival = self.house.now()
        self.assertEqual(self.house.wait(2), [])
        self.assertIn("sessionTimerExpired", self.house.events())

    def test_expired(self) -> None:
        """
        Without media it ends.
        """
        self._call("uac")
        self.again(500)
        self.only(self.house.wait(30.125), "BYE")
        self.assertEqual(self.house.manifest["endReason"], "sessionExpired")

    def test_none(self) -> None:
        """
        Where none was agreed there is none.
        """
        self.src.call()
        self.again()
        self.assertEqual(self.house.wait(400), [])
