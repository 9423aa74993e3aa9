"""
Tests of L{siprec.render.events}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.render.events import eventsOf, moment
from siprec.render.stream import Stream
from tests.render.journals import START, talk, writeRecording


class EventTests(SynchronousTestCase):
    """
    What the journals of a stream tell.
    """

    def test_moment(self) -> None:
        """
        Nanoseconds become a manifest's time; what is not known stays so.
        """
        self.assertEqual(moment(round(START) * 10**9 + 500_000_000), "2026-01-05T09:00:00.500000Z")
        self.assertIsNone(moment(None))

    def test_stream(self) -> None:
        """
        What has no time of its own is told at the start of the recording.
        """
        directory = self.mktemp()
        packets = [*talk(5), *talk(5, ssrc=7, begin=1.0, payloadType=97)]
        writeRecording(directory, {"1-0.rtpdump": packets})
        stream = Stream(directory, {"index": 0}, {1: "1-0.rtpdump", 2: "2-0.rtpdump"})
        stream.survey()
        found = [(each["type"], each["time"]) for each in eventsOf(stream, "start", 3)]
        second = "2026-01-05T09:00:01.000000Z"
        self.assertEqual(
            found,
            [
                ("journalUnreadable", "start"),
                ("payloadNotDecoded", second),
                ("sourceChanged", second),
                ("gapsOmitted", "start"),
            ],
        )
