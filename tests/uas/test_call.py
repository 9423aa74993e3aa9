"""
Tests for L{siprec.uas.call}: how a call begins and ends.
"""

from __future__ import annotations

from siprec.metadata.parse import parseMetadata
from siprec.session.model import CallSnapshot
from siprec.sip.message import Request, Response
from siprec.store.interfaces import StoreUnavailable
from tests.uas.house import rendering
from tests.uas.kit import METADATA, RecorderTestCase, Src, lines, offer, sdp

ACCEPTED = 'siprec_invites_total{result="accepted"} 1.0'
CANCELLED = 'siprec_invites_total{result="cancelled"} 1.0'


class OrdinaryCallTests(RecorderTestCase):
    """
    INVITE, ACK, BYE.
    """

    def test_answer(self) -> None:
        """
        Two m-lines with metadata are answered 200, each line received and with
        its label (CONFORMANCE A10, A11, A14).
        """
        response = self.src.invite()
        self.assertEqual(response.status, 200)
        self.assertEqual(lines(response), [(10000, "recvonly", "1"), (10002, "recvonly", "2")])
        self.assertEqual(sdp(response).origin.version, 1)
        self.assertTrue(self.house.count(ACCEPTED))

    def test_A4_contact(self) -> None:
        """
        C{+sip.srs} is a parameter of the Contact header, not of its URI, and
        has no value (RFC 7866 section 6.2).
        """
        response = self.src.invite()
        self.assertEqual(response.headers.getAll("Contact"), ["<sip:192.0.2.1:5060>;+sip.srs"])

    def test_contactOverTCP(self) -> None:
        """
        A peer on TCP is told to come back by TCP.
        """
        response = Src.overTCP(self.house).invite()
        contact = response.headers.get("Contact")
        self.assertEqual(contact, "<sip:192.0.2.1:5060;transport=tcp>;+sip.srs")

    def test_savedFirst(self) -> None:
        """
        The snapshot is in the store, and the manifest on the disk, before the
        200 leaves.
        """
        seen: list[tuple[str, int]] = []

        def watch(snapshot: CallSnapshot) -> None:
            seen.append((self.house.manifest["state"], len(self.house.wire.sent)))

        self.house.store.onSave = watch
        response = self.src.invite()
        self.assertEqual(seen, [("recording", 0)])
        [snapshot] = self.house.store.saved
        self.assertEqual(snapshot.dialog.localTag, response.toTag)
        self.assertEqual(snapshot.dialog.localSDP, response.body)
        self.assertEqual(snapshot.key, self.house.manifest["id"])

    def test_states(self) -> None:
        """
        The manifest goes from recording to finishing to complete.
        """
        house = self.house
        house.renderer.waiting = []
        self.src.call()
        house.wait(5)
        self.assertEqual((house.manifest["state"], house.manifest["endTime"]), ("recording", None))
        self.assertEqual(self.src.bye().status, 200)
        self.assertEqual(house.manifest["state"], "finishing")
        self.assertEqual(house.manifest["endTime"], "2026-01-05T09:00:05.000000Z")
        house.renderer.waiting[0].callback(rendering())
        self.assertEqual(house.manifest["state"], "complete")
        self.assertEqual(house.manifest["endReason"], "bye")
        self.assertEqual(house.manifest["duration"], 1.5)

    def test_left(self) -> None:
        """
        After the end nothing of the call is left but its files: no ports, no
        marker, no snapshot, no dialog.
        """
        house = self.house
        self.src.call()
        self.assertEqual(len([name for name in house.files() if ".running" in name]), 1)
        self.assertEqual(len(house.recorder.calls), 1)
        self.src.bye()
        self.assertEqual([name for name in house.files() if ".running" in name], [])
        self.assertEqual(house.recorder.calls, {})
        self.assertEqual(house.service.recordings, {})
        self.assertEqual(self.successResultOf(house.store.list()), [])
        self.assertEqual([linger for _, linger in house.capture.detached], [0.3, 0.3])

    def test_metadata(self) -> None:
        """
        The document is kept byte for byte, and tells who is heard where.
        """
        self.src.call()
        manifest = self.house.manifest
        self.assertEqual(self.house.document(1), METADATA)
        self.assertEqual(
            [(each["name"], each["streams"]) for each in manifest["participants"]],
            [("Ann", ["1"]), ("Bob", ["2"])],
        )
        self.assertEqual(manifest["sessions"], [parseMetadata(METADATA).sessions[0].id])
        self.assertEqual(manifest["sip"]["remoteAddress"], "192.0.2.7:5060")

    def test_A35_noMetadata(self) -> None:
        """
        An INVITE without metadata is recorded all the same.
        """
        self.src.call(metadata=None)
        self.assertEqual(self.house.manifest["metadata"], [])

    def test_A38_brokenMetadata(self) -> None:
        """
        Metadata that nobody can read costs no recording: it is kept as it came
        and the manifest says so.
        """
        self.src.call(metadata=b"no metadata")
        manifest = self.house.manifest
        self.assertEqual(manifest["state"], "recording")
        self.assertEqual(manifest["metadata"][0]["status"], "error")
        self.assertIn("metadataError", self.house.events())
        self.assertEqual(self.house.document(1), b"no metadata")

    def test_irregularBody(self) -> None:
        """
        What had to be forgiven in the body is noted.
        """
        self.src.call(sdp=offer().replace(b"o=src ", b"o="))
        [event] = self.house.manifest["events"]
        self.assertEqual(event["type"], "bodyIrregular")
        self.assertIn("unusual o= line", event["reason"])

    def test_D4_reason_kept(self) -> None:
        """
        A peer may end a call that it has not acknowledged; the 200 is not
        repeated any more.
        """
        self.src.invite()
        self.assertEqual(self.src.bye(("Reason", "SIP;cause=200")).status, 200)
        self.assertEqual(self.house.wait(40), [])
        [event] = self.house.manifest["events"]
        self.assertEqual((event["type"], event["reason"]), ("bye", "SIP;cause=200"))

    def test_storeAway(self) -> None:
        """
        A store that does not answer costs no call.
        """

        def away(snapshot: CallSnapshot) -> None:
            raise StoreUnavailable("no answer")

        self.house.store.onSave = away
        self.src.call()
        self.src.bye()
        self.assertEqual(self.house.manifest["state"], "complete")
        # Before the 200, after the ACK, and before the 200 to the BYE.
        self.assertEqual(len(self.flushLoggedErrors(StoreUnavailable)), 3)


class AcknowledgementTests(RecorderTestCase):
    """
    The 200 is repeated until its ACK comes (RFC 3261 section 13.3.1.4).
    """

    def _repetitions(self, src: Src) -> list[float]:
        first = src.invite()
        times = []
        for _ in range(96):
            for message in self.house.wait(0.125):
                self.assertEqual(message, first)
                times.append(self.house.clock.seconds())
        src.ack()
        self.assertEqual(self.house.wait(60), [])
        return times

    def test_overUDP(self) -> None:
        """
        After T1, doubled each time up to T2, until the ACK.
        """
        self.assertEqual(self._repetitions(self.src), [0.5, 1.5, 3.5, 7.5, 11.5])

    def test_overTCP(self) -> None:
        """
        A reliable transport makes no difference: behind a proxy may be UDP.
        """
        src = Src.overTCP(self.house)
        self.assertEqual(self._repetitions(src), [0.5, 1.5, 3.5, 7.5, 11.5])

    def test_retransmittedInvite(self) -> None:
        """
        A copy of the INVITE makes no second recording and no second answer.
        """
        self.src.invite()
        assert self.src.last is not None
        self.assertEqual(self.src.send(self.src.last), [])
        self.assertEqual(len(self.house.manifests()), 1)

    def test_none(self) -> None:
        """
        Without an ACK in 64*T1 the call is ended by a BYE that says why; what
        was recorded is kept.
        """
        self.src.invite()
        sent = self.house.wait(31.875)
        self.assertFalse([each for each in sent if isinstance(each, Request)])
        bye = self.only(self.house.wait(0.125), "BYE")
        self.assertEqual(bye.headers.get("Reason"), 'SIP;cause=408;text="No ACK"')
        self.assertEqual(bye.toTag, "theirs")
        self.assertEqual(self.src.answer(bye), [])
        self.assertEqual(self.house.manifest["state"], "complete")
        self.assertEqual(self.house.manifest["endReason"], "noAck")


class CancelTests(RecorderTestCase):
    """
    CANCEL, before and after the answer (RFC 3261 section 9.2).
    """

    def _statuses(self, messages: list[Request | Response]) -> list[tuple[int, str]]:
        return [(each.status, each.cseq.method) for each in messages if isinstance(each, Response)]

    def test_D3_487_cancelled(self) -> None:
        """
        The INVITE is answered 487 at once; the recording that was being made
        is ended and says so.
        """
        house = self.house
        house.workers.held = []
        self.assertEqual(self.src.send(self.src.make("INVITE", body=(offer(), METADATA))), [])
        sent = self.src.cancel()
        self.assertEqual(self._statuses(sent), [(200, "CANCEL"), (487, "INVITE")])
        house.workers.finish()
        self.assertEqual(house.manifest["state"], "complete")
        self.assertEqual(house.manifest["endReason"], "cancelled")
        self.assertEqual((house.ports.taken, house.recorder.calls), ([], {}))
        self.assertEqual(self.successResultOf(house.store.list()), [])
        self.assertTrue(house.count(CANCELLED))
        self.assertFalse(house.count(ACCEPTED))

    def test_whileSaving(self) -> None:
        """
        The same while the snapshot is on its way; as that holds the 200, the
        487 is saved in its place first.
        """
        house = self.house
        house.store.waiting = []
        self.src.send(self.src.make("INVITE", body=(offer(), METADATA)))
        self.assertEqual(self._statuses(self.src.cancel()), [(200, "CANCEL")])
        [final] = house.store.saved[-1].dialog.finals
        house.store.waiting[0].callback(None)
        self.assertEqual(house.manifest["endReason"], "cancelled")
        self.assertEqual(house.wire.take(), [])
        house.store.waiting[1].callback(None)
        [response] = house.wire.take()
        self.assertEqual(self._statuses([response]), [(487, "INVITE")])
        self.assertEqual(final.response, response.serialize())

    def test_thenFailed(self) -> None:
        """
        If what was cancelled cannot be opened, nothing is left of it.
        """
        house = self.house
        house.workers.held = []
        self.src.send(self.src.make("INVITE", body=(offer(), METADATA)))
        self.src.cancel()
        self.blockDirectory()
        house.workers.finish()
        self.assertEqual(house.files(), ["2026"])
        self.assertEqual((house.wire.take(), house.recorder.calls), ([], {}))

    def test_D3_cancelAfterAnswer(self) -> None:
        """
        A CANCEL that the 200 has crossed changes nothing.
        """
        self.src.invite()
        self.assertEqual(self._statuses(self.src.cancel()), [(200, "CANCEL")])
        self.src.ack()
        self.assertEqual(self.house.manifest["state"], "recording")
        self.src.bye()
        self.assertEqual(self.house.manifest["endReason"], "bye")

    def test_stoppedBeforeAnswer(self) -> None:
        """
        A node that stops refuses what it has not answered yet, and tells the
        peer to come back.
        """
        self.house.workers.held = []
        self.src.send(self.src.make("INVITE", body=(offer(), None)))
        self.house.recorder.stopCalls(503, "drained")
        [response] = self.house.wire.take()
        assert isinstance(response, Response)
        self.assertEqual((response.status, response.headers.get("Retry-After")), (503, "5"))
        self.house.workers.finish()
        self.assertEqual(self.house.manifest["state"], "complete")
