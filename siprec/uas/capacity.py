"""
How much a node takes upon itself at a time, and the refusal of what is more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from secrets import randbelow
from typing import Protocol

from attrs import define, field

from siprec.session.live import LiveRecording
from siprec.uas.admission import Refusal
from siprec.uas.bodies import Bodies

__all__ = ["Capacity", "streamsAsked", "streamsOf", "unavailable"]

# Seconds after which a peer may come again.  Not the same for all, or all would
# come at once.
_SOONEST, _LATEST = 5, 15


class Running(Protocol):
    """
    A call, as far as it matters here.
    """

    live: LiveRecording | None


def unavailable(why: str, alone: bool) -> Refusal:
    """
    @param alone: whether there is no other node.  With Retry-After a peer
        sends nothing to our address until then (RFC 3261 section 21.5.4); if
        other nodes can be reached by the same address, it must not: without
        the header it tries the next one (RFC 3263 section 4.3).
    """
    if not alone:
        return Refusal(503, why)
    seconds = _SOONEST + randbelow(_LATEST - _SOONEST + 1)
    return Refusal(503, why, (("Retry-After", str(seconds)),))


def streamsOf(calls: Iterable[Running]) -> int:
    """
    @return: how many streams are recorded in these calls.
    """
    return sum(len(call.live.recording.streams) for call in calls if call.live is not None)


def streamsAsked(bodies: Bodies) -> int:
    """
    @param bodies: of a first INVITE.
    @return: how many streams it asks for.
    """
    media = () if bodies.description is None else bodies.description.media
    return max(sum(each.port > 0 for each in media), 1)


@define(eq=False, repr=False)
class Capacity:
    """
    Limits; 0 is none.

    @ivar maxStreams: of all calls together.
    @ivar maxUnacknowledged: calls whose 200 has not been acknowledged yet.
    @ivar unacknowledged: these, and how many streams they ask for.
    """

    maxStreams: int = 0
    maxUnacknowledged: int = 0
    unacknowledged: dict[Running, int] = field(factory=dict, init=False)

    def reasons(self, calls: Collection[Running], streams: int = 1) -> list[str]:
        """
        @param calls: those that run.
        @param streams: that a new one asks for.
        @return: why it cannot be taken; empty if it can.
        """
        found = []
        waiting = len(self.unacknowledged)
        if self.maxUnacknowledged and waiting >= self.maxUnacknowledged:
            found.append(f"{waiting} calls have not been acknowledged, the limit")
        if self.maxStreams:
            opening = (self.unacknowledged.get(each, 0) for each in calls if each.live is None)
            running = streamsOf(calls) + sum(opening)
            if running + streams > self.maxStreams:
                found.append(f"{running} streams are running of {self.maxStreams}")
        return found
