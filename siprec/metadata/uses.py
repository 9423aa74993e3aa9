"""
Which streams a participant sends and receives, through time (part of the merge).

An element always replaces both sets of its participant (RFC 7865 section
6.8.1); streams of a communication session that is over are idle.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from attrs import evolve

from siprec.metadata.intervals import MOST
from siprec.metadata.model import ParticipantStream
from siprec.metadata.state import Cause, StreamUse

__all__ = ["closeUse", "idleUse", "replaceUse"]

_Uses = tuple[StreamUse, ...]


def replaceUse(
    uses: _Uses, elements: Sequence[ParticipantStream], at: datetime, idle: Collection[str]
) -> _Uses:
    """
    Apply all elements that one document has about one participant; several
    count as one with the streams of all.

    @param at: when the document arrived.
    @param idle: the streams whose communication session is over.
    """
    if len(elements) == 1 and not uses and not idle:
        # Most are new, and told once.
        [element] = elements
        if element.disassociated is None:
            return (_use(element, at),)
    ending = [element for element in elements if element.disassociated is not None]
    end = next((each.disassociated.value for each in ending if each.disassociated), None)
    lasting = elements
    if ending:
        lasting = [element for element in elements if element.disassociated is None]
        if not lasting:
            return _ended(uses, _together(ending, at), end)
    said = _together(lasting, at)
    left = _without(said, idle)
    last = uses[-1] if uses and uses[-1].closed is None else None
    if last is not None:
        if _same(last, left):
            if left is said and said.start and last.start is None:
                return (*uses[:-1], evolve(last, start=said.start))
            return uses
        last = evolve(last, closed=at, end=end or said.start, cause="superseded")
        uses = (*uses[:-1], last)
    if left is not said and any(_same(each, said) for each in uses):
        # It held until the session was over, which is on record already.
        return (*uses, left) if left.send or left.recv else uses
    return (*uses[-MOST:], said)


def closeUse(uses: _Uses, at: datetime, cause: Cause) -> _Uses:
    """
    End what holds now, if anything does.
    """
    if not uses or uses[-1].closed is not None:
        return uses
    return (*uses[:-1], evolve(uses[-1], closed=at, cause=cause))


def idleUse(uses: _Uses, streams: Collection[str], at: datetime, end: datetime | None) -> _Uses:
    """
    The streams became idle: go on with the others, if there are any.
    """
    if not uses or uses[-1].closed is not None:
        return uses
    last = uses[-1]
    left = _without(last, streams)
    if left is last:
        return uses
    uses = (*uses[:-1], evolve(last, closed=at, end=end, cause="session-stopped"))
    if left.send or left.recv:
        uses = (*uses, evolve(left, seen=at, start=end))
    return uses


def _use(element: ParticipantStream, at: datetime) -> StreamUse:
    associated = element.associated
    return StreamUse(element.send, element.recv, at, associated.value if associated else None)


def _together(elements: Sequence[ParticipantStream], at: datetime) -> StreamUse:
    if len(elements) == 1:
        return _use(elements[0], at)
    send = tuple(dict.fromkeys(id for each in elements for id in each.send))
    recv = tuple(dict.fromkeys(id for each in elements for id in each.recv))
    for each in elements:
        if each.associated is not None and each.associated.value is not None:
            return StreamUse(send, recv, at, each.associated.value)
    return StreamUse(send, recv, at)


def _ended(uses: _Uses, said: StreamUse, end: datetime | None) -> _Uses:
    if not uses:
        return (evolve(said, closed=said.seen, end=end, cause="stated"),)
    if end and any(each.end == end and each.cause == "stated" for each in uses):
        return uses
    last = uses[-1]
    if last.closed is None or last.cause != "stated":
        last = evolve(last, closed=last.closed or said.seen, end=end, cause="stated")
    return (*uses[:-1], last)


def _without(use: StreamUse, idle: Collection[str]) -> StreamUse:
    """
    @return: C{use} itself if nothing of it is idle.
    """
    if not idle or not any(stream in idle for stream in use.send + use.recv):
        return use
    return evolve(
        use,
        send=tuple(stream for stream in use.send if stream not in idle),
        recv=tuple(stream for stream in use.recv if stream not in idle),
    )


def _same(one: StreamUse, other: StreamUse) -> bool:
    return (one.send == other.send and one.recv == other.recv) or (
        set(one.send) == set(other.send) and set(one.recv) == set(other.recv)
    )
