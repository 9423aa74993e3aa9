"""
Packets that are taken from the sockets and not kept: those of a stream that is muted.

They are opened first where they are protected, so that the rollover counter goes on
and nothing of them can be replayed afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from siprec.media.batch import HEADROOM, Held, Receiver

__all__ = ["LATE", "Discards", "discard", "discardControl"]

#: How long after a stream is heard again what was sent before may still come, in
#: seconds.  A key that is held down is told of again and again with the timestamp at
#: which it was pressed, in each event for 8 s at most (RFC 4733 section 2.5.1.3).
LATE = 10.0

_HEAD = 12  # octets of the fixed header of RTP
_SOURCES = 16  # of one stream that are remembered
_BEHIND = 1 << 20  # timestamps: what is further behind has begun anew

_Rows = NDArray[np.int64]


@define(eq=False, repr=False)
class Discards:
    """
    What is discarded of one stream.

    @ivar until: when nothing late is expected any more, on the capture's clock; C{None}:
        everything is to be discarded.
    @ivar newest: of each source (SSRC), the newest timestamp among what was.
    """

    until: float | None = None
    newest: dict[int, int] = field(factory=dict, init=False)

    def choose(self, receiver: Receiver, first: int, count: int) -> list[int]:
        """
        @param first: the slot of the first packet that came at the RTP port; the others
            follow.
        @return: the slots of what is not to be kept.
        """
        sources, stamps, told = _heads(receiver, first, count)
        if self.until is None:
            self._note(sources[told], stamps[told])
            return list(range(first, first + count))
        late = np.zeros(count, np.bool_)
        for source, newest in self.newest.items():
            behind = (newest - stamps) & 0xFFFFFFFF
            late |= told & (sources == source) & (behind < _BEHIND)
        return (first + np.flatnonzero(late)).tolist()

    def _note(self, sources: _Rows, stamps: _Rows) -> None:
        for source in dict.fromkeys(sources.tolist()):
            mine = stamps[sources == source]
            base = self.newest.pop(source, int(mine[0]))
            ahead = ((mine - base + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
            self.newest[source] = (base + max(int(ahead.max()), 0)) & 0xFFFFFFFF
        while len(self.newest) > _SOURCES:
            del self.newest[next(iter(self.newest))]


class Muted(Protocol):
    """
    A stream, as far as this changes it.
    """

    discards: Discards | None

    def discard(self, discards: Discards | None) -> None:
        """
        Have part of its packets discarded from now on, or not any more.
        """

    def noteDiscarded(self, count: int, arrival: int) -> None:
        """
        So many packets are not kept, the last of which came then.
        """


def discard(receiver: Receiver, stream: Muted, first: int, count: int, now: float) -> Sequence[int]:
    """
    @param first: the slot of the first packet that came at the RTP port of a stream;
        the others follow.
    @param now: on the capture's clock.
    @return: the slots of what is not to be kept.
    """
    if stream.discards is None:
        return ()
    if stream.discards.until is not None and now >= stream.discards.until:
        stream.discard(None)
        return ()
    slots = stream.discards.choose(receiver, first, count)
    if slots:
        stream.noteDiscarded(len(slots), receiver.arrivalOf(slots[-1]))
    return slots


def discardControl(stream: Muted, taken: list[Held]) -> list[Held]:
    """
    @param taken: what came at the RTCP port.
    @return: what of it is to be kept.
    """
    if not taken or stream.discards is None or stream.discards.until is not None:
        return taken
    stream.noteDiscarded(len(taken), taken[-1].arrival)
    return []


def _heads(receiver: Receiver, first: int, count: int) -> tuple[_Rows, _Rows, NDArray[np.bool_]]:
    """
    @return: SSRC and timestamp of each packet, and whether it is RTP at all.
    """
    arena = receiver.memory[: receiver.slots * receiver.stride].reshape(receiver.slots, -1)
    octets = arena[first : first + count, HEADROOM : HEADROOM + _HEAD].copy()
    words = octets.view(">u4").astype(np.int64)
    long = np.array(receiver.lengths(first, count)) >= _HEAD
    # RTCP may come at the same port (RFC 5761 section 4).
    control = (octets[:, 1] >= 192) & (octets[:, 1] <= 223)
    return words[:, 2], words[:, 1], long & (octets[:, 0] >> 6 == 2) & ~control
