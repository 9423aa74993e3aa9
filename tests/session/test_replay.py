"""
Tests of L{siprec.session.replay}.
"""

from __future__ import annotations

import os

from siprec.metadata.parse import parseMetadata
from siprec.metadata.serialize import serialize
from siprec.metadata.state import RecordingMetadata
from siprec.session.live import Document
from siprec.session.replay import readDocuments, replayed
from tests.metadata.calls import call, hold, stop, transfer
from tests.session.livecase import LiveTestCase
from tests.session.recordings import START


class ReplayTests(LiveTestCase):
    """
    What another node makes of the documents.
    """

    def setUp(self) -> None:
        super().setUp()
        self.withFiles()
        for number, each in enumerate((call("A", "B"), hold("A"), transfer("A", "C"), stop())):
            self.now = START + number
            body = serialize(each)
            self.live.receive(Document(body, parseMetadata(body)))
        self.live.receive(Document(b"nothing", parseMetadata(b"nothing")))

    def test_B2_same(self) -> None:
        """
        It is the same state, to the interval, also if it is done again.
        """
        recording = self.live.recording
        documents = readDocuments(recording)
        self.assertEqual(len(documents), 5)
        for _ in range(2):
            self.assertEqual(replayed(recording, documents), (self.live.state, True))

    def test_missing(self) -> None:
        """
        What is not there is passed over, and told.
        """
        os.unlink(os.path.join(self.directory, "metadata-2.xml"))
        state, whole = replayed(self.live.recording, readDocuments(self.live.recording))
        self.assertFalse(whole)
        self.assertEqual(len(state.participants), 3)
        self.assertNotEqual(state, self.live.state)

    def test_nothing(self) -> None:
        """
        Without any document nothing is known.
        """
        self.assertEqual(replayed(self.live.recording, {}), (RecordingMetadata(), False))
