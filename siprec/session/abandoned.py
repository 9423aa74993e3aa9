"""
Recordings whose dialog was lost, and which may go on in another one.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from siprec.session.live import LiveRecording

__all__ = ["ABANDONED", "Abandoned"]

#: Reasons for an end that the client did not wish for: it may open another
#: session for the same call.
ABANDONED = frozenset(("peerGone", "sessionExpired", "timeout", "noAck", "nodeDied"))

# Seconds between two looks whether a recording goes on in another session.
_LOOK = 0.25


@define(eq=False, repr=False)
class Abandoned:
    """
    The recordings that wait for another session of their calls.
    """

    _clock: IReactorTime
    _waiting: set[LiveRecording] = field(factory=set, init=False)

    def __contains__(self, live: LiveRecording) -> bool:
        return live in self._waiting

    def discard(self, live: LiveRecording) -> None:
        """
        Another session goes on with a recording: it waits no more.
        """
        self._waiting.discard(live)

    async def stayed(self, live: LiveRecording, window: float, givenUp: Callable[[], bool]) -> bool:
        """
        Wait whether another session of the call goes on with a recording.

        @param window: for how many seconds.
        @param givenUp: tells whether there is no need to wait any more.
        @return: whether it is still this node's, to be finished.
        """
        end = self._clock.seconds() + window
        self._waiting.add(live)
        while live in self._waiting and self._clock.seconds() < end and not givenUp():
            await deferLater(self._clock, _LOOK)
        stayed = live in self._waiting
        self._waiting.discard(live)
        return stayed
