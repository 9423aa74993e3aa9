"""
Tests of L{siprec.session.timeline}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from siprec.session.timeline import MOST_GAPS, metadataOf, timelineOf
from siprec.session.times import formatTime
from tests.session.recordings import START, START_TEXT


def event(at: float, type: str, **facts: Any) -> dict[str, Any]:
    """
    @return: an event so many seconds after the start.
    """
    return {"time": formatTime(START + at), "type": type, **facts}


def gap(begin: float, end: float, stream: int = 0, cause: str = "loss") -> dict[str, Any]:
    """
    @return: a gap.
    """
    return {
        "start": formatTime(START + begin),
        "end": formatTime(START + end),
        "stream": stream,
        "cause": cause,
    }


def manifest(*events: dict[str, Any], gaps: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    """
    @return: as much of a manifest as it takes.
    """
    return {"startTime": START_TEXT, "events": list(events), "gaps": list(gaps)}


class TimelineTests(SynchronousTestCase):
    """
    What happened in a call.
    """

    def test_order(self) -> None:
        """
        Whatever it comes from, the order is that of time, on the recording's clock.
        """
        whole = manifest(
            event(4.5, "streamPaused", stream=1),
            event(-0.25, "streamAdded", stream=0),
            gaps=(gap(4.5, 6.0, 1, "pause"),),
        )
        history = [event(2.0, "participantJoined", participant="p")]
        found = timelineOf(whole, history)
        self.assertEqual(
            [(each["at"], each["type"], each["source"]) for each in found],
            [
                (-0.25, "sdp", "event"),
                (2.0, "join", "metadata"),
                (4.5, "pause", "event"),
                (4.5, "gap", "gap"),
            ],
        )
        self.assertEqual(
            found[3],
            {
                "at": 4.5,
                "time": "2026-01-05T09:00:04.500000Z",
                "type": "gap",
                "source": "gap",
                "stream": 1,
                "cause": "pause",
                "duration": 1.5,
            },
        )

    def test_facts(self) -> None:
        """
        An entry has the facts of its event, and says which it was.
        """
        [entry] = timelineOf(
            manifest(event(1.0, "sourceChanged", ssrc="0x1", source="journal")), ()
        )
        self.assertEqual(
            entry,
            {
                "at": 1.0,
                "time": "2026-01-05T09:00:01.000000Z",
                "type": "ssrc",
                "event": "sourceChanged",
                "source": "event",
                "ssrc": "0x1",
            },
        )

    def test_kinds(self) -> None:
        """
        Joins, leaves, holds, transfers, pauses, changes of SDP and SSRC, digits and the
        end are told; what concerns only the recorder is not.
        """
        for type, kind in (
            ("participantLeft", "leave"),
            ("participantHeld", "hold"),
            ("streamHeld", "hold"),
            ("streamReleased", "resume"),
            ("callTransferred", "transfer"),
            ("sdpChanged", "sdp"),
            ("labelChanged", "sdp"),
            ("recordingPaused", "pause"),
            ("recordingResumed", "resume"),
            ("dtmf", "dtmf"),
            ("resumed", "node"),
            ("bye", "end"),
        ):
            [entry] = timelineOf(manifest(event(1.0, type)), ())
            self.assertEqual(entry["type"], kind)
        self.assertEqual(timelineOf(manifest(event(1.0, "packetsIgnored", count=3)), ()), [])

    def test_manyGaps(self) -> None:
        """
        Of a stream with gaps without end the longest ones are told.
        """
        gaps = tuple(gap(number, number + 0.02) for number in range(MOST_GAPS))
        found = timelineOf(manifest(gaps=(*gaps, gap(500, 501), gap(1, 1.02, stream=1))), ())
        self.assertEqual(len(found), MOST_GAPS + 1)
        self.assertIn(500, [each["at"] for each in found])

    def test_again(self) -> None:
        """
        What the metadata told is found again in a manifest, so that it outlives another
        rendering.
        """
        history = [event(2.0, "participantJoined", participant="p")]
        whole = manifest(event(3.0, "bye"))
        self.assertEqual(metadataOf(whole), [])
        whole["timeline"] = timelineOf(whole, history)
        self.assertEqual(metadataOf(whole), history)
        self.assertEqual(timelineOf(whole, metadataOf(whole)), whole["timeline"])
