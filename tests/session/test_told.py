"""
Tests of L{siprec.session.told}.
"""

from __future__ import annotations

from datetime import UTC, datetime

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.changes import JOINED, SESSION_STARTED
from siprec.metadata.merge import merge
from siprec.metadata.parse import parseMetadata
from siprec.metadata.state import RecordingMetadata
from siprec.session.told import MOST_HISTORY, VendorFields, recordOf, withHistory, withMetadata
from tests.session.livecase import LiveTestCase, document
from tests.session.recordings import START, session


class RecordTests(SynchronousTestCase):
    """
    A document's entry in the manifest.
    """

    def test_read(self) -> None:
        """
        It has the document's number in the name of its file, and the time.
        """
        record = recordOf(document("1").parsed, 3, START)
        self.assertEqual((record.file, record.time), ("metadata-3.xml", START))
        self.assertEqual((record.mode, record.status), ("complete", "ok"))

    def test_broken(self) -> None:
        """
        One that cannot be read says why.
        """
        record = recordOf(parseMetadata(b"nothing"), 1, START)
        self.assertEqual(record.status, "error")
        self.assertTrue(record.notes)


class HistoryTests(SynchronousTestCase):
    """
    What happened in the call.
    """

    def setUp(self) -> None:
        self.before = RecordingMetadata()
        moment = datetime.fromtimestamp(START, UTC)
        self.after = merge(self.before, document("1", "2").parsed, moment)

    def test_changes(self) -> None:
        """
        Each change has its time and comes after those before; nothing new adds nothing.
        """
        first = {"time": START - 1, "type": "first"}
        recording = session("/r", history=(first,))
        found = withHistory(recording, self.before, self.after, START)
        self.assertEqual(found.history[0], first)
        told = found.history[1:]
        self.assertEqual({each["time"] for each in told}, {START})
        types = [each["type"] for each in told]
        self.assertEqual(sorted(types), sorted([JOINED, JOINED, SESSION_STARTED]))
        again = withHistory(found, self.after, self.after, START + 1)
        self.assertEqual(again.history, found.history)

    def test_most(self) -> None:
        """
        Only the newest are kept of a call that never stops telling.
        """
        recording = session("/r", history=({"time": 0.0, "type": "old"},) * MOST_HISTORY)
        found = withHistory(recording, self.before, self.after, START)
        self.assertEqual(len(found.history), MOST_HISTORY)
        self.assertEqual(found.history[-1]["time"], START)

    def test_lost(self) -> None:
        """
        Whom an earlier process knew stays among the participants, though its state is
        lost.
        """
        recording = evolve(session("/r"), streams=())
        found = withMetadata(recording, self.after, {"vendor": "x"}, START)
        self.assertEqual([each.name for each in found.participants], ["Ann", "Ann", "Bob"])
        self.assertEqual(found.sessions, ("communication-1", *self.after.sessions))
        self.assertEqual(found.vendor, {"vendor": "x"})


class VendorTests(SynchronousTestCase):
    """
    The vendors' fields, of which a call is asked often.
    """

    def test_kept(self) -> None:
        """
        They are looked for again when there is another header or document, or
        others must not be kept.
        """
        fields, headers = VendorFields(), [("X-Avaya-UCID", "0001")]
        found = fields.fields(headers, [], ())
        self.assertEqual(found["sip_ucid"], ["0001"])
        self.assertIs(fields.fields(list(headers), [], ()), found)
        self.assertIsNot(fields.fields(headers, [document("1")], ()), found)
        self.assertEqual(fields.fields(headers, [], ("x-avaya-ucid",))["sip_ucid"], [])
        headers.append(("X-Avaya-UCID", "0002"))
        self.assertEqual(fields.fields(headers, [], ())["sip_ucid"], ["0001", "0002"])


class MetadataTests(LiveTestCase):
    """
    What a recording whose call runs takes of its metadata.
    """

    def test_beforeStreams(self) -> None:
        """
        Metadata that comes before the streams is bound to them when they come.
        """
        self.live.receive(document("1", "2"))
        self.bind("2", "1")
        self.live.startCapture()
        names = {each.id: each.name for each in self.live.recording.participants}
        heard = [names[each.participant or ""] for each in self.live.recording.streams]
        self.assertEqual(heard, ["Bob", "Ann"])

    def test_correlations(self) -> None:
        """
        What other recordings of the call may have too is found in metadata and
        headers, and what was found once stays.
        """
        self.live.before = {"sip_ucid": ["0001"]}
        self.live.receive(document("1"))
        (session,) = self.live.recording.sessions
        expected = (f"session:{session}", "ucid:0001")
        self.assertEqual(self.live.recording.correlations, expected)
        self.live.headers.append(("X-Avaya-UCID", "0002"))
        self.live.state = RecordingMetadata()
        self.live.before = {}
        self.live.rebind()
        self.assertEqual(self.live.recording.correlations, (*expected, "ucid:0002"))
