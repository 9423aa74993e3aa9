"""
How stated times change the intervals of an association (part of the merge).

Each rule leaves alone what is so already: a document that is applied twice
changes nothing the second time, whatever the time of receipt.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from attrs import evolve

from siprec.metadata.model import Time
from siprec.metadata.state import Cause, Interval
from siprec.metadata.value import value

__all__ = ["MOST", "Timed", "associate", "close", "needsImplied"]

#: Longest history of one association that is kept in the state: beyond any
#: call, and what bounds the work that a hostile document can cause.
MOST = 256


class Timed(Protocol):
    """
    An element with the two times of an association.
    """

    @property
    def associated(self) -> Time | None: ...

    @property
    def disassociated(self) -> Time | None: ...


@value
class _Times:
    start: datetime | None
    ends: bool
    end: datetime | None

    def order(self) -> float:
        moment = self.start or self.end
        return moment.timestamp() if moment else float("inf")


def associate(
    intervals: tuple[Interval, ...], elements: Sequence[Timed], at: datetime, stopped: bool = False
) -> tuple[Interval, ...]:
    """
    Apply the elements that one document has about one association.

    @param at: when the document arrived.
    @param stopped: the communication session is over, so that an element
        without times begins nothing again.
    """
    if len(elements) == 1 and not intervals:
        # Most are new, and told once.
        begun = elements[0].associated
        if begun is not None and begun.value is not None and elements[0].disassociated is None:
            return (Interval(at, begun.value),)
    times = [_read(element) for element in elements]
    if len(times) > 1:
        # An element without times adds nothing to one that has some.
        times = [each for each in times if each.start or each.ends] or times[:1]
        times.sort(key=_Times.order)
        times = times[-MOST:]
    history = list(intervals)
    for index, each in enumerate(times):
        if each.start and each.ends:
            _both(history, each.start, each.end, at)
        elif each.start:
            _started(history, each.start, at)
        elif each.ends:
            # An end before a beginning in one document is not the end of that.
            later = {other.start for other in times[index + 1 :] if not other.ends}
            _ended(history, each.end, at, later)
        elif _openIndex(history) is None and not (stopped and history):
            history.append(Interval(at))
    return tuple(history[-MOST:])


def close(
    intervals: tuple[Interval, ...], at: datetime, end: datetime | None, cause: Cause
) -> tuple[Interval, ...]:
    """
    End what is open.
    """
    return tuple(
        evolve(interval, closed=at, end=end, cause=cause) if interval.closed is None else interval
        for interval in intervals
    )


def needsImplied(intervals: tuple[Interval, ...]) -> bool:
    """
    Does being mentioned, without any times, begin an interval?
    """
    return not intervals or intervals[-1].cause == "absent-in-snapshot"


def _read(element: Timed) -> _Times:
    associated, disassociated = element.associated, element.disassociated
    return _Times(
        associated.value if associated else None,
        disassociated is not None,
        disassociated.value if disassociated else None,
    )


def _openIndex(history: list[Interval]) -> int | None:
    for index in range(len(history) - 1, -1, -1):
        if history[index].closed is None:
            return index
    return None


def _startIndex(history: list[Interval], start: datetime) -> int | None:
    for index in range(len(history) - 1, -1, -1):
        if history[index].start == start:
            return index
    return None


def _started(history: list[Interval], start: datetime, at: datetime) -> None:
    opened = _openIndex(history)
    same = _startIndex(history, start)
    if same is not None:
        if opened is None and history[same].cause == "absent-in-snapshot":
            # It was missing from a snapshot by mistake.
            history[same] = evolve(history[same], closed=None, end=None, cause="")
    elif opened is not None and history[opened].start is None:
        history[opened] = evolve(history[opened], start=start)
    else:
        if opened is not None:
            history[opened] = evolve(history[opened], closed=at, end=start, cause="superseded")
        history.append(Interval(at, start))


def _ended(
    history: list[Interval], end: datetime | None, at: datetime, later: set[datetime | None]
) -> None:
    if end and any(each.end == end and each.cause == "stated" for each in history):
        return
    opened = _openIndex(history)
    if opened is not None:
        if history[opened].start is None or history[opened].start not in later:
            history[opened] = evolve(history[opened], closed=at, end=end, cause="stated")
    elif not history:
        history.append(Interval(at, None, at, end, "stated"))
    elif history[-1].cause != "stated":
        history[-1] = evolve(history[-1], end=end, cause="stated")


def _both(history: list[Interval], start: datetime, end: datetime | None, at: datetime) -> None:
    index = _startIndex(history, start)
    if index is None:
        opened = _openIndex(history)
        if opened is not None and history[opened].start is None:
            index = opened
    if index is None:
        history.append(Interval(at, start, at, end, "stated"))
    else:
        history[index] = evolve(
            history[index],
            start=start,
            closed=history[index].closed or at,
            end=end,
            cause="stated",
        )
