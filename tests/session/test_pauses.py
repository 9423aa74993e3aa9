"""
Tests of L{siprec.session.pauses}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from siprec.session.pauses import pausesOf
from siprec.session.times import formatTime
from tests.session.recordings import START, START_TEXT


class PauseTests(SynchronousTestCase):
    """
    When a peer was not to send.
    """

    def pauses(
        self,
        *events: tuple[float, str],
        direction: str = "recvonly",
        active: bool = True,
        stream: int | None = 1,
    ) -> list[tuple[float, float | None]]:
        """
        @param events: of stream 1, or of all, in seconds after the start.
        @return: its pauses, in the same way.
        """
        written: list[dict[str, Any]] = [
            {"time": formatTime(START + at), "type": type, "stream": stream} for at, type in events
        ]
        written.append({"time": START_TEXT, "type": "streamPaused", "stream": 0})
        entry = {"index": 1, "direction": direction, "active": active}
        manifest = {"startTime": START_TEXT, "events": written, "streams": [entry]}
        return [
            (begin - START, None if end is None else end - START)
            for begin, end in pausesOf(manifest, 1)
        ]

    def test_none(self) -> None:
        """
        The events of other streams are not ours, nor are other events.
        """
        self.assertEqual(self.pauses((1.0, "labelChanged")), [])

    def test_inactive(self) -> None:
        """
        From inactive to its end; one that has no end is open.
        """
        self.assertEqual(
            self.pauses((1.0, "streamPaused"), (2.0, "streamResumed"), (3.0, "streamPaused")),
            [(1.0, 2.0), (3.0, None)],
        )

    def test_A17_hold(self) -> None:
        """
        A null address is one too; while both hold it is one pause.
        """
        self.assertEqual(
            self.pauses(
                (1.0, "streamHeld"),
                (2.0, "streamPaused"),
                (3.0, "streamReleased"),
                (4.0, "streamResumed"),
            ),
            [(1.0, 4.0)],
        )

    def test_A10_fromTheBeginning(self) -> None:
        """
        A stream that was inactive in the first answer is paused from the start on, or
        from when it was added.
        """
        self.assertEqual(self.pauses((2.0, "streamResumed")), [(0.0, 2.0)])
        self.assertEqual(self.pauses((1.0, "streamAdded"), (2.0, "streamResumed")), [(1.0, 2.0)])
        self.assertEqual(self.pauses(direction="inactive"), [(0.0, None)])

    def test_removed(self) -> None:
        """
        A line that was given up and comes back was paused; one that stays away is over.
        """
        self.assertEqual(self.pauses((1.0, "streamRemoved"), (2.0, "streamRestored")), [(1.0, 2.0)])
        self.assertEqual(
            self.pauses((1.0, "streamRemoved"), direction="inactive", active=False), []
        )

    def test_twice(self) -> None:
        """
        An end that nothing has begun is none.
        """
        self.assertEqual(
            self.pauses((1.0, "streamPaused"), (2.0, "streamResumed"), (3.0, "streamResumed")),
            [(1.0, 2.0)],
        )

    def test_operator(self) -> None:
        """
        What an operator pauses is every stream; beside a pause of the peer's it is one.  It
        begins with the stream, if that was added meanwhile.
        """
        paused, resumed = "recordingPaused", "recordingResumed"
        self.assertEqual(
            self.pauses((1.0, paused), (2.0, resumed), (4.0, paused), stream=None),
            [(1.0, 2.0), (4.0, None)],
        )
        self.assertEqual(
            self.pauses(
                (1.0, paused), (2.0, "streamPaused"), (3.0, resumed), (4.0, "streamResumed")
            ),
            [(1.0, 4.0)],
        )
        self.assertEqual(
            self.pauses(
                *((1.0, paused), (2.0, resumed), (3.0, paused), (4.0, "streamAdded")),
                (5.0, resumed),
            ),
            [(4.0, 5.0)],
        )
