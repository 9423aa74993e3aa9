"""
Tests of L{siprec.session.live}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from siprec.metadata.masking import Mask
from siprec.metadata.parse import parseMetadata
from siprec.session.live import Document, StreamRequest
from siprec.session.manifest import isWhole, readManifest
from siprec.session.model import Format
from tests.session.livecase import LiveTestCase, document
from tests.session.recordings import PCMA, PCMU, START


class StreamTests(LiveTestCase):
    """
    Streams and their sockets.
    """

    def test_bind(self) -> None:
        """
        A new stream is bound at the one address and says the other.
        """
        self.bind("1", "2")
        self.assertEqual([pair.host for pair in self.ports.taken], ["192.0.2.1"] * 2)
        described = [
            (each.index, each.mediaIndex, each.label, each.host, each.port, each.formats)
            for each in self.live.recording.streams
        ]
        self.assertEqual(
            described,
            [
                (0, 0, "1", "203.0.113.1", 10000, (PCMU,)),
                (1, 1, "2", "203.0.113.1", 10002, (PCMU,)),
            ],
        )

    def test_noPort(self) -> None:
        """
        A stream without a port is none.
        """
        self.ports.free = 0
        self.assertRaises(OSError, self.bind, "1")
        self.assertEqual(self.live.recording.streams, ())

    def test_capture(self) -> None:
        """
        Journals are named by segment, from 1, and stream, from 0; a stream
        that comes later gets the next one, and none is captured twice.
        """
        self.bind("1")
        self.live.startCapture()
        self.bind("2")
        self.live.startCapture()
        self.live.startCapture()
        names = ("1-0.rtpdump", "1-1.rtpdump")
        self.assertEqual(self.live.recording.segments[0].files, names)
        self.assertEqual(
            [each.path for each in self.capture.attached],
            [f"{self.directory}/{name}" for name in names],
        )
        self.assertEqual(self.live.taps.handles(), self.capture.attached)

    def test_slotUsedAgain(self) -> None:
        """
        An m-line that was given up and used again (RFC 3264 section 8.1)
        carries another stream; the capture of the first goes on.
        """
        self.bind("1")
        self.live.startCapture()
        self.live.dropStream(0)
        self.assertIsNone(self.live.stream(0))
        second = self.live.bindStream(StreamRequest(0, "9", (PCMA,), direction="inactive"))
        self.assertEqual(second.index, 1)
        self.assertEqual(self.live.stream(0), second)
        self.assertEqual(len(self.capture.attached), 1)
        first = self.live.recording.streams[0]
        self.assertEqual((first.active, first.direction), (False, "inactive"))

    def test_formats(self) -> None:
        """
        Formats of a later offer come first; earlier ones stay known, and a
        payload type that means something else now has its new meaning.
        """
        self.bind("1")
        other = Format(101, "telephone-event", 8000)
        self.live.addFormats(0, [PCMA, other])
        self.assertEqual(self.live.recording.streams[0].formats, (PCMA, other, PCMU))
        wide = Format(101, "telephone-event", 16000)
        self.live.addFormats(0, [wide])
        self.assertEqual(self.live.recording.streams[0].formats, (wide, PCMA, PCMU))

    def test_lastArrival(self) -> None:
        """
        The last packet of any stream counts; before the first there is none.
        """
        self.assertIsNone(self.live.lastArrival())
        self.bind("1", "2")
        self.live.startCapture()
        self.assertIsNone(self.live.lastArrival())
        self.capture.attached[0].lastArrival = START + 2
        self.capture.attached[1].lastArrival = START + 1
        self.assertEqual(self.live.lastArrival(), START + 2)

    def test_release(self) -> None:
        """
        Sockets are given back once.
        """
        self.bind("1", "2")
        self.live.releasePorts()
        self.live.releasePorts()
        self.assertEqual((self.ports.taken, self.ports.free), ([], 1000))


class MetadataTests(LiveTestCase):
    """
    What the peer tells of the call.
    """

    def test_document(self) -> None:
        """
        A document names participants and sessions, and is kept byte for byte.
        """
        self.bind("1", "2")
        self.withFiles()
        given = document("1", "2")
        record = self.live.receive(given)
        self.assertEqual(
            (record.file, record.time, record.mode), ("metadata-1.xml", START, "complete")
        )
        with open(f"{self.directory}/metadata-1.xml", "rb") as file:
            self.assertEqual(file.read(), given.body)
        manifest = readManifest(self.directory)
        self.assertEqual([each["name"] for each in manifest["participants"]], ["Ann", "Bob"])
        self.assertEqual(len(manifest["sessions"]), 1)
        self.assertEqual(manifest["metadata"][0]["status"], "ok")

    def test_broken(self) -> None:
        """
        One that cannot be read is kept and noted; what was known stays.
        """
        self.bind("1", "2")
        self.live.receive(document("1", "2"))
        before = self.live.recording.participants
        broken = Document(b"nothing", parseMetadata(b"nothing"))
        self.withFiles()
        record = self.live.receive(broken)
        self.assertEqual((record.file, record.status), ("metadata-2.xml", "error"))
        [event] = self.live.recording.events
        self.assertEqual((event["type"], event["file"]), ("metadataError", "metadata-2.xml"))
        self.assertTrue(event["reason"])
        self.assertEqual(self.live.recording.participants, before)
        with open(f"{self.directory}/metadata-2.xml", "rb") as file:
            self.assertEqual(file.read(), b"nothing")

    def test_mask(self) -> None:
        """
        What local policy has masked is stored nowhere.
        """
        self.live.mask = Mask((r"[A-Z]*nn(\d+)",))
        self.withFiles()
        self.live.receive(document("1", "2", names=("Ann12", "Bob")))
        with open(f"{self.directory}/metadata-1.xml", "rb") as file:
            self.assertIn(b"Ann**", file.read())
        self.assertEqual(self.live.recording.participants[0].name, "Ann**")
        self.assertNotIn("Ann12", str(self.live.recording.metadataState))

    def test_lacks(self) -> None:
        """
        What a complete document would set right is known until one comes.
        """
        self.live.receive(Document(b"x", parseMetadata(b"x")))
        self.assertEqual(self.live.lacks, "metadata")
        self.live.lacks = "state"
        body = document("1").body.replace(b"complete", b"partial")
        self.live.receive(Document(body, parseMetadata(body)))
        self.assertEqual(self.live.lacks, "state")
        self.live.receive(document("1"))
        self.assertEqual(self.live.lacks, "")
        self.live.receive(Document(body, parseMetadata(body)))
        self.assertEqual(self.live.lacks, "")

    def test_vendor(self) -> None:
        """
        Vendor fields come from the INVITE's headers.
        """
        self.live.headers.append(("X-Genesys-CallUUID", "8f1a"))
        self.live.rebind()
        self.assertTrue(self.live.recording.vendor)

    def test_laterHeaders(self) -> None:
        """
        What the headers of a later request add is kept with its time, used for the
        vendor's fields, and left out or masked like those of the INVITE.
        """
        self.live.exclude = ("X-Secret",)
        self.live.mask = Mask((r"\d{6,}",))
        headers = [("X-Avaya-UCID", "77"), ("X-Secret", "x"), ("X-ANI", "4930123456")]
        self.now = START + 2
        self.live.noteHeaders("UPDATE", headers)
        self.live.noteHeaders("UPDATE", headers)
        sip = self.live.recording.sip
        self.assertEqual(sip["headers"], {"X-Avaya-UCID": ["77"], "X-ANI": ["**********"]})
        [later] = sip["later"]
        self.assertEqual((later["time"][17:19], later["method"]), ("02", "UPDATE"))
        self.assertEqual(self.live.recording.vendor["sip_ucid"], ["77"])
        self.assertIn("ucid:77", self.live.recording.correlations)


class ManifestTests(LiveTestCase):
    """
    What the manifest says meanwhile.
    """

    def test_excluded(self) -> None:
        """
        What policy leaves out is in no vendor field either.
        """
        self.live.headers = [("X-Avaya-UCID", "0001"), ("X-Customer-ID", "42")]
        self.live.exclude = ("X-Customer-*",)
        self.live.rebind()
        self.assertIn("0001", str(self.live.recording.vendor))
        self.assertNotIn("42", str(self.live.recording.vendor))

    def test_counts(self) -> None:
        """
        Live counts stand in the manifest; before the capture they are those of
        nothing.
        """
        self.bind("1")
        self.assertEqual(self.live.manifest()["streams"][0]["packets"], 0)
        self.live.startCapture()
        [stream] = self.capture.attached
        stream.packets, stream.firstArrival, stream.lastArrival = 7, START, START + 1
        stream.kernelDrops, stream.truncated = 3, 2
        stream.unauthenticated, stream.replayed, stream.strangers = 5, 6, 8
        [described] = self.live.manifest()["streams"]
        self.assertEqual(described["packets"], 7)
        self.assertEqual(described["lastPacket"], "2026-01-05T09:00:01.000000Z")
        self.assertEqual((described["kernelDrops"], described["truncated"]), (3, 2))
        self.assertEqual((described["unauthenticated"], described["replayed"]), (5, 6))
        self.assertEqual(described["strangers"], 8)

    def test_event(self) -> None:
        """
        An event has the time at which it happened, and is on the disk.
        """
        self.withFiles()
        self.now = START + 1
        self.live.event("bye", reason="Q.850")
        self.assertEqual(
            readManifest(self.directory)["events"],
            [{"time": "2026-01-05T09:00:01.000000Z", "type": "bye", "reason": "Q.850"}],
        )


class EndTests(LiveTestCase):
    """
    The end of the capture.
    """

    def test_stop(self) -> None:
        """
        The recording is finishing from the moment the call is over; its
        segment is closed when the journals are, and the ports are free.
        """
        self.bind("1", "2")
        self.live.startCapture()
        self.capture.waiting = []
        for stream in self.capture.attached:
            stream.firstArrival = stream.lastArrival = START + 1
        self.now = START + 2
        stopped = Deferred.fromCoroutine(self.live.stopCapture(0.3, "bye"))
        recording = self.live.recording
        self.assertEqual((recording.state, recording.endTime), ("finishing", START + 2))
        self.assertIsNone(recording.segments[0].end)
        self.assertEqual(len(self.ports.taken), 2)
        self.assertFalse(isWhole(self.live.manifest()))
        self.assertEqual([linger for _, linger in self.capture.detached], [0.3, 0.3])
        self.now = START + 3
        for (stream, _), done in zip(self.capture.detached, self.capture.waiting, strict=True):
            stream.packets = 9
            done.callback(stream)
        self.successResultOf(stopped)
        manifest = self.live.manifest()
        self.assertEqual(manifest["endTime"], "2026-01-05T09:00:02.000000Z")
        self.assertEqual(manifest["endReason"], "bye")
        self.assertEqual(manifest["segments"][0]["end"], manifest["endTime"])
        self.assertEqual(manifest["segments"][0]["files"], ["1-0.rtpdump", "1-1.rtpdump"])
        self.assertEqual([each["packets"] for each in manifest["streams"]], [9, 9])
        self.assertEqual(self.ports.taken, [])
        self.assertTrue(isWhole(manifest))

    def test_stopWhenQuiet(self) -> None:
        """
        Who knows that the media goes elsewhere by now need not wait for all the time.
        """
        self.bind("1")
        self.live.startCapture()
        self.successResultOf(
            Deferred.fromCoroutine(self.live.stopCapture(10.0, "moved", quiet=0.5))
        )
        self.assertEqual([limit for _, limit in self.capture.detached], [10.0])
        self.assertEqual([quiet for _, quiet in self.capture.quiet], [0.5])

    def test_J7_nothingCame(self) -> None:
        """
        A stream on which nothing came has no journal.
        """
        self.bind("1", "2")
        self.live.startCapture()
        self.capture.attached[1].firstArrival = START
        self.stop()
        self.assertEqual(self.live.recording.segments[0].files, ("1-1.rtpdump",))

    def test_unwritten(self) -> None:
        """
        Packets that are in no journal are known after the end as well.
        """
        self.bind("1")
        self.live.startCapture()
        self.capture.attached[0].unwritten = 2
        self.stop()
        self.assertFalse(isWhole(self.live.manifest()))

    def test_notClosed(self) -> None:
        """
        A capture that fails to end is noted, and holds nothing up.
        """
        self.bind("1")
        self.live.startCapture()
        self.capture.waiting = []
        stopped = Deferred.fromCoroutine(self.live.stopCapture(0.3, "bye"))
        with capturedLogs() as logs:
            self.capture.waiting[0].errback(OSError("Input/output error"))
        self.successResultOf(stopped)
        self.flushLoggedErrors(OSError)
        self.assertEqual(len(logs), 1)
        [event] = self.live.recording.events
        self.assertEqual((event["type"], event["reason"]), ("journalError", "Input/output error"))
        self.assertEqual(self.ports.taken, [])
        self.assertFalse(isWhole(self.live.manifest()))
