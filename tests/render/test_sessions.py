"""
Tests of L{siprec.render.sessions}.
"""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from siprec.render.sessions import TOLERANCE, Span, spansOf
from siprec.session.times import formatTime
from tests.render.journals import START


def entry(
    at: float, session: str, event: str = "sessionStarted", stated: float | None = None
) -> dict[str, Any]:
    """
    @return: an entry of a timeline, so many seconds after the start.
    """
    made = {
        "time": formatTime(START + at),
        "type": "session",
        "source": "metadata",
        "event": event,
        "session": session,
    }
    return made if stated is None else {**made, "stated": formatTime(START + stated)}


def spans(*entries: dict[str, Any]) -> list[tuple[str, float, float | None]]:
    """
    @return: session, begin and end of each, in seconds after the start.
    """
    return [
        (each.session, each.begin - START, None if each.end is None else each.end - START)
        for each in spansOf({"timeline": list(entries)})
    ]


class SpanTests(SynchronousTestCase):
    """
    Communication sessions, one after the other.
    """

    def test_two(self) -> None:
        """
        The second begins where it is told; it goes on to the end if nobody ends it.
        """
        found = spans(entry(0, "S1"), entry(3, "S1", "sessionEnded"), entry(4, "S2"))
        self.assertEqual(found, [("S1", 0, 3), ("S2", 4, None)])
        self.assertIsInstance(spansOf({"timeline": [entry(0, "S")]})[0], Span)

    def test_stated(self) -> None:
        """
        The client's own times count, if they can be right.
        """
        found = spans(entry(1, "S1", stated=0.5), entry(5, "S1", "sessionEnded", stated=4.25))
        self.assertEqual(found, [("S1", 0.5, 4.25)])
        early = spans(entry(1, "S1", stated=-TOLERANCE))
        later = spans(entry(1, "S1", stated=2))
        self.assertEqual((early, later), ([("S1", 1, None)], [("S1", 1, None)]))

    def test_overlapping(self) -> None:
        """
        Two at a time (RFC 8068 section 3.5) are two.
        """
        found = spans(entry(0, "S1"), entry(1, "S2"), entry(2, "S1", "sessionEnded"))
        self.assertEqual(found, [("S1", 0, 2), ("S2", 1, None)])

    def test_again(self) -> None:
        """
        A session that begins again has two parts; an end without a beginning is none, nor
        is a beginning within it.
        """
        found = spans(
            entry(0, "S", "sessionEnded"),
            entry(1, "S"),
            entry(2, "S"),
            entry(3, "S", "sessionEnded"),
            entry(4, "S"),
        )
        self.assertEqual(found, [("S", 1, 3), ("S", 4, None)])

    def test_none(self) -> None:
        """
        A manifest of an earlier version has no timeline; other entries do not count.
        """
        self.assertEqual(spansOf({}), [])
        other = {**entry(0, "S"), "source": "event"}
        self.assertEqual(spans(other, {**entry(0, "S"), "type": "join"}), [])
