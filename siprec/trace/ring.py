"""
Where a node keeps the last SIP messages that came and went.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from attrs import define, field, frozen

from siprec.sip.flow import Flow

__all__ = ["Entry", "TraceRing"]


@frozen(eq=False, repr=False)
class Entry:
    """
    One message, with all secrets that are in it.

    @ivar number: counts all messages, from 0.
    @ivar time: seconds since the Unix epoch.
    @ivar sent: whether it is one of ours.
    """

    number: int
    time: float
    flow: Flow
    sent: bool
    data: bytes


@define(eq=False, repr=False)
class TraceRing:
    """
    Keeps the last messages, bounded in number and in octets.  As it is filled all
    the time and hardly ever read, it only keeps what it is given: to look at it, and
    to take out the secrets, is for who reads it.

    @ivar messages: most messages that are kept; 0: it keeps none.
    @ivar limit: most octets of messages that are kept.
    @ivar octets: how many are.
    @ivar first: the number of the oldest message that is kept.
    @ivar wake: is called once, if it is there, when the next message comes.
    """

    messages: int = 0
    limit: int = 0
    now: Callable[[], float] = time.time
    wake: Callable[[], object] | None = field(default=None, init=False)
    octets: int = field(default=0, init=False)
    first: int = field(default=0, init=False)
    _kept: deque[tuple[float, Flow, bool, tuple[bytes, ...]]] = field(factory=deque, init=False)

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def end(self) -> int:
        """
        The number of the message that will come next.
        """
        return self.first + len(self._kept)

    def note(self, flow: Flow, sent: bool, *parts: bytes) -> None:
        """
        Keep a message; see L{siprec.sip.flow.Witness}.
        """
        kept = self._kept
        kept.append((self.now(), flow, sent, parts))
        for part in parts:
            self.octets += len(part)
        while len(kept) > self.messages or self.octets > self.limit:
            for part in kept.popleft()[3]:
                self.octets -= len(part)
            self.first += 1
        if self.wake is not None:
            wake, self.wake = self.wake, None
            wake()

    def get(self, number: int) -> Entry:
        """
        @param number: from C{first} on, and before C{end}.
        """
        when, flow, sent, parts = self._kept[number - self.first]
        return Entry(number, when, flow, sent, b"".join(parts))
