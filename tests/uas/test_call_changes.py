"""
Tests for L{siprec.uas.call}: what changes while a call runs.
"""

from __future__ import annotations

from attrs import evolve

from siprec.testing.offer import makeMetadata
from tests.uas.kit import METADATA, ONE, THREE, TWO, RecorderTestCase, lines, offer, renamed, sdp

HELD = (evolve(ONE, direction="inactive"), TWO)
LATER = makeMetadata(["Ann", "Carol"], ["1", "2"])
BOTH = [(10000, "recvonly", "1"), (10002, "recvonly", "2")]


class OfferTests(RecorderTestCase):
    """
    Offers of the running session (RFC 3264 section 8).
    """

    def setUp(self) -> None:
        super().setUp()
        self.first = self.src.call()

    def test_holdAndResume(self) -> None:
        """
        A line offered inactive is answered inactive, and received again when
        it is offered sendonly; its port stays (A16).
        """
        held = self.src.reinvite(sdp=offer(*HELD, version=2))
        self.assertEqual(lines(held), [(10000, "inactive", "1"), (10002, "recvonly", "2")])
        self.assertEqual(self.house.manifest["streams"][0]["direction"], "inactive")
        resumed = self.src.reinvite(sdp=offer(version=3))
        self.assertEqual(lines(resumed), BOTH)
        self.assertEqual(self.house.events(), ["streamPaused", "streamResumed"])

    def test_A16b_update(self) -> None:
        """
        UPDATE is among what we allow, and taken though the peer's own Allow lacks it.
        """
        self.assertIn("UPDATE", self.first.headers.get("Allow") or "")
        request = self.src.make("UPDATE", ("Allow", "INVITE, ACK, BYE"), body=(None, LATER))
        self.assertEqual(self.src.ask(request).status, 200)
        self.assertEqual(self.house.document(2), LATER)

    def test_A4_contact(self) -> None:
        """
        The 200 to a re-INVITE or an UPDATE says C{+sip.srs}, too.
        """
        for response in (
            self.src.reinvite(sdp=offer(version=2)),
            self.src.update(metadata=LATER),
        ):
            contact = response.headers.get("Contact")
            self.assertEqual(contact, "<sip:192.0.2.1:5060>;+sip.srs")

    def test_A19_version(self) -> None:
        """
        The answer to the same offer is the same to the byte, C{o=} version
        included; an answer that changed has the next version.
        """
        self.assertEqual(self.src.reinvite(sdp=offer()).body, self.first.body)
        held = self.src.reinvite(sdp=offer(*HELD, version=2))
        self.assertEqual(sdp(held).origin.version, 2)
        self.assertEqual(sdp(held).origin.sessionID, sdp(self.first).origin.sessionID)

    def test_A19_versionBack(self) -> None:
        """
        A version that goes back is followed, and noted.
        """
        self.src.reinvite(sdp=offer(*HELD, version=2))
        self.assertEqual(lines(self.src.reinvite(sdp=offer(version=1))), BOTH)
        self.assertIn("sdpIrregular", self.house.events())

    def test_added(self) -> None:
        """
        A further line is a further stream with a journal of its own.
        """
        response = self.src.reinvite(sdp=offer(ONE, TWO, THREE, version=2))
        self.assertEqual(lines(response), [*BOTH, (10004, "recvonly", "3")])
        manifest = self.house.manifest
        self.assertEqual(self.house.events(), ["streamAdded"])
        self.assertEqual(manifest["segments"][0]["files"][-1], "1-2.rtpdump")
        self.assertEqual(len(self.house.capture.attached), 3)

    def test_removed(self) -> None:
        """
        A line offered with port 0 is answered with port 0.  What is still on
        its way is captured, so the stream ends with the recording.
        """
        response = self.src.reinvite(sdp=offer(evolve(ONE, port=0), TWO, version=2))
        self.assertEqual(lines(response), [(0, "inactive", "1"), (10002, "recvonly", "2")])
        self.assertEqual([each["active"] for each in self.house.manifest["streams"]], [False, True])
        self.assertEqual(len(self.house.capture.attached), 2)

    def test_A16_slotReused(self) -> None:
        """
        A line that was removed and comes back with another label is another
        stream in the same place.
        """
        self.src.reinvite(sdp=offer(evolve(ONE, port=0), TWO, version=2))
        response = self.src.reinvite(sdp=offer(THREE, TWO, version=3))
        self.assertEqual(lines(response), [(10004, "recvonly", "3"), (10002, "recvonly", "2")])
        streams = self.house.manifest["streams"]
        self.assertEqual(
            [(each["index"], each["mediaIndex"], each["label"]) for each in streams],
            [(0, 0, "1"), (1, 1, "2"), (2, 0, "3")],
        )

    def test_slotComesBack(self) -> None:
        """
        A line that is given up and offered again with the same label is the
        same stream: it keeps its ports and its channel.
        """
        gone = offer(*(evolve(each, port=0) for each in (ONE, TWO)), version=2)
        self.assertEqual(lines(self.src.reinvite(sdp=gone))[0][0], 0)
        again = self.src.reinvite(sdp=offer(version=3))
        self.assertEqual(lines(again), BOTH)
        streams = self.house.manifest["streams"]
        self.assertEqual(
            [(each["label"], each["active"]) for each in streams], [("1", True), ("2", True)]
        )
        self.assertIn("streamRestored", self.house.events())

    def test_nameOfCodec(self) -> None:
        """
        The manifest names codecs as the standard does, however the peer does.
        """
        lower = offer(version=2).replace(b"PCMU/8000", b"pcmu/8000")
        self.assertIn(b"pcmu/8000", self.src.reinvite(sdp=lower).body)
        self.assertEqual(self.house.manifest["streams"][0]["codec"], "PCMU")

    def test_labelsSwapped(self) -> None:
        """
        A label that changes takes its participant along.
        """
        swapped = offer(renamed(ONE, "2"), renamed(TWO, "1"), version=2)
        response = self.src.reinvite(sdp=swapped)
        self.assertEqual([label for _, _, label in lines(response)], ["2", "1"])
        people = {each["id"]: each["name"] for each in self.house.manifest["participants"]}
        streams = self.house.manifest["streams"]
        self.assertEqual([people[each["participant"]] for each in streams], ["Bob", "Ann"])

    def test_labelsAndMetadataSwapped(self) -> None:
        """
        Labels and metadata that change in one message are one change: who is heard on a
        line is the same as before, without a moment of the other.
        """
        self.house.clock.advance(5)
        swapped = offer(renamed(ONE, "2"), renamed(TWO, "1"), version=2)
        self.src.reinvite(
            sdp=swapped,
            metadata=METADATA.replace(b">1<", b">x<")
            .replace(b">2<", b">1<")
            .replace(b">x<", b">2<"),
        )
        speakers = [each["speakers"] for each in self.house.manifest["streams"]]
        people = [[each["participant"] for each in history] for history in speakers]
        first, second = people
        self.assertEqual(len(set(first)), 1)
        self.assertNotEqual(first[0], second[0])
        self.assertEqual([each["label"] for each in speakers[0]], ["1", "2"])

    def test_transfer(self) -> None:
        """
        A transfer in mid-call: each line says who was heard on it, to the moment of the
        update, and the timeline says what happened.
        """
        self.house.clock.advance(5)
        self.src.update(metadata=LATER)
        manifest = self.house.manifest
        names = {each["id"]: each["name"] for each in manifest["participants"]}
        history = [
            [
                (names[each["participant"]], each["start"][17:19], each["end"])
                for each in stream["speakers"]
            ]
            for stream in manifest["streams"]
        ]
        self.assertEqual(
            [[who for who, _, _ in line] for line in history], [["Ann", "Ann"], ["Bob", "Carol"]]
        )
        moment = "2026-01-05T09:00:05.000000Z"
        self.assertEqual(history[1], [("Bob", "00", moment), ("Carol", "05", None)])
        told = [(each["at"], each["type"]) for each in manifest["timeline"]]
        self.assertEqual(told[:3], [(0.0, "session"), (0.0, "join"), (0.0, "join")])
        self.assertIn((5.0, "transfer"), told)
        self.assertEqual(self.house.events(), [])

    def test_noPort(self) -> None:
        """
        Where there is no port or no socket for a further line, that line alone
        is refused.
        """
        self.house.ports.free = 0
        self.house.ports.failure = OSError(24, "Too many open files")
        response = self.src.reinvite(sdp=offer(ONE, TWO, THREE, version=2))
        self.assertEqual(lines(response), [*BOTH, (0, "inactive", "3")])
        [event] = self.house.manifest["events"]
        self.assertEqual((event["type"], event["label"]), ("streamRefused", "3"))

    def test_D3_488_nothingLeft(self) -> None:
        """
        An offer of which nothing can be recorded is refused, and the session
        goes on as it was (RFC 3261 section 14.2); giving up every line is the
        peer's right.
        """
        unknown = offer(version=2).replace(b"m=audio", b"m=video")
        refused = self.src.reinvite(sdp=unknown)
        self.assertEqual(refused.status, 488)
        self.assertIn("video is not recorded", refused.headers.get("Warning") or "")
        streams = self.house.manifest["streams"]
        self.assertEqual([each["active"] for each in streams], [True, True])
        gone = offer(*(evolve(each, port=0) for each in (ONE, TWO)), version=3)
        self.assertEqual(self.src.reinvite(sdp=gone).status, 200)

    def test_update(self) -> None:
        """
        An UPDATE with an offer is answered like a re-INVITE (RFC 3311).
        """
        response = self.src.update(sdp=offer(*HELD, version=2))
        self.assertEqual(lines(response)[0], (10000, "inactive", "1"))
        self.assertEqual(self.house.wait(40), [])

    def test_saved(self) -> None:
        """
        Each change is in the store before it is promised.
        """
        response = self.src.reinvite(sdp=offer(*HELD, version=2))
        snapshot = self.house.store.saved[-1]
        self.assertEqual(snapshot.dialog.localSDP, response.body)
        self.assertEqual(snapshot.dialog.remoteSDP, offer(*HELD, version=2))
        self.assertEqual(snapshot.dialog.remoteCSeq, 2)
        self.assertTrue(snapshot.dialog.confirmed)
        self.assertEqual(snapshot.recording.streams[0].direction, "inactive")

    def test_badBody(self) -> None:
        """
        A change that cannot be read is refused; the session stays as it was
        (RFC 3261 section 14.2).
        """
        self.assertEqual(self.src.reinvite(sdp=b"v=0\r\n").status, 400)
        strange = self.src.make("INVITE", body=(b"x", None))
        strange = evolve(strange, headers=strange.headers.replacing("Content-Type", "text/plain"))
        refused = self.src.ask(strange)
        self.assertEqual(refused.status, 415)
        self.assertIn("application/sdp", refused.headers.get("Accept") or "")
        self.assertEqual(self.src.reinvite(sdp=offer()).body, self.first.body)

    def test_unforeseen(self) -> None:
        """
        A mistake of ours costs the change, not the call: the peer may try it
        again.
        """
        self.house.ports.free = 0
        self.house.ports.failure = ZeroDivisionError()
        response = self.src.reinvite(sdp=offer(ONE, TWO, THREE, version=2))
        self.assertEqual((response.status, response.headers.get("Retry-After")), (500, "10"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.src.reinvite(sdp=offer(version=3)).status, 200)


class MetadataTests(RecorderTestCase):
    """
    Metadata of the running session (CONFORMANCE A15, A34, A38).
    """

    def setUp(self) -> None:
        super().setUp()
        self.src.call()

    def _names(self) -> set[str]:
        return {each["name"] for each in self.house.manifest["participants"]}

    def test_A15_update(self) -> None:
        """
        An UPDATE with metadata only: its labels are those of the description
        that holds.
        """
        response = self.src.update(metadata=LATER)
        self.assertEqual((response.status, response.body), (200, b""))
        manifest = self.house.manifest
        people = {each["id"]: each["name"] for each in manifest["participants"]}
        speakers = [people[each["participant"]] for each in manifest["streams"]]
        self.assertEqual(speakers, ["Ann", "Carol"])

    def test_A34_bye(self) -> None:
        """
        Metadata in the BYE is in the finished recording.
        """
        self.assertEqual(self.src.bye(metadata=LATER).status, 200)
        self.assertEqual(self.house.document(2), LATER)
        self.assertIn("Carol", self._names())
        self.assertEqual(self.house.manifest["state"], "complete")

    def test_laterHeaders(self) -> None:
        """
        What the headers of later requests tell is in the manifest, with its time, and
        in the fields that the store can search.
        """
        self.house.clock.advance(3)
        self.src.update(("X-Genesys-Agent-ID", "7"), metadata=LATER)
        self.src.bye(("Reason", "Q.850;cause=16"))
        sip, vendor = self.house.manifest["sip"], self.house.manifest["vendor"]
        self.assertEqual(sip["headers"]["Reason"], ["Q.850;cause=16"])
        self.assertEqual([each["method"] for each in sip["later"]], ["UPDATE", "BYE"])
        self.assertEqual(sip["later"][0]["time"], "2026-01-05T09:00:03.000000Z")
        self.assertEqual(vendor["sip_genesys_agent_id"], "7")
        self.assertEqual(self.house.store.saved[-1].recording.vendor["type"], "genesys")

    def test_A34_info(self) -> None:
        """
        Metadata in an INFO is taken, and saved before the answer.
        """
        saved = len(self.house.store.saved)
        response = self.src.ask(self.src.make("INFO", body=(None, LATER)))
        self.assertEqual(response.status, 200)
        self.assertIn("Carol", self._names())
        self.assertEqual(len(self.house.store.saved), saved + 1)

    def test_D4_info_other(self) -> None:
        """
        An INFO about something else is answered, and does nothing.
        """
        asked = self.src.make("INFO", ("Content-Type", "application/media_control+xml"))
        response = self.src.ask(evolve(asked, body=b"<media_control/>"))
        self.assertEqual((response.status, self.house.events()), (200, []))

    def test_D4_info_package(self) -> None:
        """
        No Info-Package is known here (RFC 6086 section 4.2.2).
        """
        response = self.src.ask(self.src.make("INFO", ("Info-Package", "dtmf")))
        self.assertEqual((response.status, response.headers.get("Recv-Info")), (469, ""))

    def test_A38_broken(self) -> None:
        """
        A re-INVITE is never refused for its metadata: the change of the media
        would be lost.
        """
        response = self.src.reinvite(sdp=offer(*HELD, version=2), metadata=b"broken")
        self.assertEqual(response.status, 200)
        self.assertEqual(self.house.document(2), b"broken")
        self.assertEqual(self.house.events(), ["metadataError", "streamPaused"])
        self.assertIn("Ann", self._names())

    def test_unreadableBye(self) -> None:
        """
        A BYE is a BYE, whatever is in it.
        """
        bye = self.src.make("BYE", ("Content-Type", "multipart/mixed"))
        self.assertEqual(self.src.ask(evolve(bye, body=b"?")).status, 200)
        self.assertEqual(self.house.events(), ["bodyIrregular", "bye"])
