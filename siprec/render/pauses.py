"""
Silence that the peer had announced: what is missing in it was never sent
(CONFORMANCE A16, J3).

All places are samples of the recording.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

from siprec.session.times import parseTime

__all__ = ["Pause", "holdsOf", "isPaused", "silences"]


@frozen
class Pause:
    """
    From when to when the peer was not to send.
    """

    begin: int
    end: int


def holdsOf(manifest: Mapping[str, Any], index: int) -> list[tuple[float, float | None]]:
    """
    @param index: of a stream.
    @return: begin and end of each time in which it was held by a null address, in seconds
        since the epoch; C{None}: it was never released.
    @raise ValueError: a time is none.
    """
    found: list[tuple[float, float | None]] = []
    begin: float | None = None
    mine = [each for each in manifest["events"] if each.get("stream") == index]
    for event in sorted(mine, key=lambda each: parseTime(each["time"])):
        time = parseTime(event["time"])
        if event["type"] == "streamHeld" and begin is None:
            begin = time
        elif event["type"] == "streamReleased" and begin is not None:
            found.append((begin, time))
            begin = None
    return found if begin is None else [*found, (begin, None)]


def isPaused(begin: int, end: int, pauses: Sequence[Pause], slack: int) -> bool:
    """
    @param slack: how much earlier the peer may have stopped than it said so, and how
        much later it may have gone on.
    @return: whether what is missing from C{begin} to C{end} belongs to a pause: it
        reaches into one, and at least half of it is there.
    """
    for pause in pauses:
        if min(end, pause.end) > max(begin, pause.begin):
            inside = min(end, pause.end + slack) - max(begin, pause.begin - slack)
            if 2 * inside >= end - begin:
                return True
    return False


def silences(
    played: Iterable[tuple[int, int]], pauses: Sequence[Pause], zero: int, finish: int, slack: int
) -> list[tuple[int, int]]:
    """
    @param played: begin and end of each time in which there were packets, in any order.
    @param zero: where the audio begins, and C{finish} where it ends.
    @return: begin and end of the silence of each pause, in order; a pause in which the
        peer sent all the while has none.
    """
    found: list[tuple[int, int]] = []
    reached = zero
    for begin, end in [*sorted(played), (finish, finish)]:
        for pause in pauses:
            # The peer's own silence beside a pause is not part of it.
            first = reached if reached >= pause.begin - slack else pause.begin
            last = begin if begin <= pause.end + slack else pause.end
            if min(last, pause.end) > max(first, pause.begin):
                found.append((first, last))
        reached = max(reached, end)
    return sorted(found)
