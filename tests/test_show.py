"""
Tests of L{siprec.show}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from siprec.session.manifest import Manifest, describe
from siprec.session.model import ParticipantInfo, Speaker, StreamInfo
from siprec.session.timeline import metadataOf, timelineOf
from siprec.show import COLUMNS, show
from tests.session.recordings import PCMU, START, session


def time(at: float) -> str:
    """
    @return: the time so many seconds after the start, below a minute.
    """
    return f"2026-01-05T09:00:{at:09.6f}Z"


def call(**changes: Any) -> Manifest:
    """
    @return: ten seconds of Ann and Bob, in which Ann is replaced by Carol.
    """
    speakers = (Speaker("a", "1", START, START + 5), Speaker("c", "1", START + 5))
    recording = session(
        "/r",
        participants=(
            ParticipantInfo("a", "Ann", "sip:ann@example.com", ("1",)),
            ParticipantInfo("c", None, "tel:+4930123", ("1",)),
        ),
        streams=(
            StreamInfo(0, 0, "1", (PCMU,), "192.0.2.1", 10000, "audio", speakers=speakers),
            StreamInfo(1, 1, "2", (), "192.0.2.1", 10002, participant="a"),
        ),
        state="complete",
        endTime=START + 10,
        endReason="bye",
        history=(
            {"time": START, "type": "participantJoined", "participant": "a"},
            {"time": START + 5, "type": "callTransferred", "from": ["a"], "to": ["c"]},
        ),
        vendor={"type": "avaya", "ucid": ["0001"]},
    )
    manifest = describe(recording)
    manifest["duration"] = 10.0
    manifest["streams"][0] |= {"firstPacket": time(0), "lastPacket": time(10), "packets": 500}
    manifest["gaps"] = [
        {"start": time(2), "end": time(3), "stream": 0, "cause": "pause"},
        {"start": time(7), "end": time(7.02), "stream": 0, "cause": "loss"},
    ]
    manifest |= changes
    manifest["timeline"] = timelineOf(manifest, metadataOf(manifest))
    return manifest


class ShowTests(SynchronousTestCase):
    """
    A recording as text.
    """

    def test_head(self) -> None:
        """
        First of all it says what it is.
        """
        head = show(call()).split("\n\n")[0]
        self.assertIn("state      complete, bye", head)
        self.assertIn("duration   0:10.000", head)
        self.assertIn("UCID       0001", head)
        self.assertNotIn("audio", head)

    def test_participants(self) -> None:
        """
        Each has a letter, under which it is in the picture.
        """
        people = show(call()).split("\n\n")[1].splitlines()
        self.assertEqual(people[0], "Participants")
        self.assertEqual(people[2].split(), ["A", "Ann", "sip:ann@example.com", "1"])
        self.assertEqual(people[3].split(), ["B", "tel:+4930123", "1"])

    def test_streams(self) -> None:
        """
        Each stream says who was heard on it.
        """
        streams = show(call()).split("\n\n")[2]
        self.assertIn("Ann, tel:+4930123", streams)
        self.assertIn("500", streams)

    def test_channels(self) -> None:
        """
        The picture shows who was heard when, pauses, and what is missing; a channel
        without packets is empty.
        """
        lines = show(call()).split("\n\n")[3].splitlines()
        drawn = "A" * 12 + "-" * 6 + "A" * 12 + "B" * 12 + "x" + "B" * 17
        self.assertEqual(lines[1], f"  0 |{drawn}|")
        self.assertEqual(lines[2], "  1 |" + " " * COLUMNS + "|")

    def test_timeline(self) -> None:
        """
        What happened, in the order of time, people by their names.
        """
        events = [
            {"time": time(1), "type": "streamPaused", "stream": 0},
            {"time": time(9), "type": "sdpChanged", "stream": 0, "changed": ["address", "codecs"]},
            {"time": time(10), "type": "bye", "reason": "x\r\ny"},
        ]
        timeline = show(call(events=events)).split("\n\n")[4].splitlines()
        self.assertEqual(
            timeline[1:],
            [
                "0:00.000  join      Ann",
                "0:01.000  pause     stream 0 stream paused",
                "0:02.000  gap       stream 0 pause, 1.000 s",
                "0:05.000  transfer  Ann -> tel:+4930123",
                "0:07.000  gap       stream 0 loss, 0.020 s",
                "0:09.000  sdp       stream 0 sdp changed changed=address, codecs",
                "0:10.000  end       bye reason=x y",
            ],
        )

    def test_digits(self) -> None:
        """
        Digits, by whom and for how long, as far as is known, or that they are not told.
        """
        events = [
            {
                "time": time(4),
                "type": "dtmf",
                "stream": 0,
                "channel": 0,
                "digit": "5",
                "durationMs": 160,
            },
            {"time": time(6), "type": "dtmf", "stream": 0, "digit": "#", "durationMs": 80},
            {"time": time(8), "type": "dtmf", "digit": None, "masked": True, "durationMs": None},
        ]
        timeline = show(call(events=events, gaps=[])).split("\n\n")[4].splitlines()
        self.assertEqual(
            timeline[2:],
            [
                "0:04.000  dtmf      stream 0 Ann 5 160 ms",
                "0:05.000  transfer  Ann -> tel:+4930123",
                "0:06.000  dtmf      stream 0 tel:+4930123 # 80 ms",
                "0:08.000  dtmf      a digit that is not told",
            ],
        )

    def test_hostile(self) -> None:
        """
        What a peer sent cannot move the cursor.
        """
        people: list[dict[str, Any]] = [
            {"id": "a", "name": "\x1b[2J\nAnn", "aor": None, "streams": []}
        ]
        self.assertNotIn("\x1b", show(call(participants=people)))

    def test_emphasis(self) -> None:
        """
        Only a terminal gets bold titles.
        """
        self.assertIn("\x1b[1mTimeline\x1b[0m", show(call(), emphasis=True))

    def test_nothing(self) -> None:
        """
        A recording of which nothing is known yet, and one of an earlier version, can be
        shown.
        """
        manifest = describe(session("/r", participants=(), streams=()))
        del manifest["timeline"]
        text = show(manifest)
        self.assertIn("nobody is known", text)
        self.assertIn("no streams", text)
        self.assertNotIn("Timeline", text)

    def test_long(self) -> None:
        """
        Hours are told where there are some; what came before the start is negative.
        """
        events = [{"time": "2026-01-05T08:59:59.500000Z", "type": "resumed", "node": "n2"}]
        text = show(call(duration=3_723.5, events=events))
        self.assertIn("duration   1:02:03.500", text)
        self.assertIn("-0:00.500  node      resumed node=n2", text)
