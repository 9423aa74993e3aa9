"""
What waits for a connection that takes no more at the moment.
"""

from collections import deque
from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

__all__ = ["MAX_QUEUED", "MAX_URGENT", "Outbox"]

#: Bytes that wait at most.
MAX_QUEUED = 16 * 1024 * 1024

#: Urgent frames that wait at most; they are small.
MAX_URGENT = 1024


@implementer(IPushProducer)
@define(eq=False, repr=False)
class Outbox:
    """
    A queue with a bound, registered at a transport as its producer: it writes until
    the transport says that it has enough.

    Urgent frames go first, so that a ping does not wait for a file.
    """

    _write: Callable[[bytes], None]
    _queue: deque[bytes] = field(factory=deque, init=False)
    _queued: int = field(default=0, init=False)
    _urgent: deque[bytes] = field(factory=deque, init=False)
    _paused: bool = field(default=False, init=False)

    @property
    def isEmpty(self) -> bool:
        """
        Whether nothing waits here.
        """
        return not (self._urgent or self._queue)

    def send(self, data: bytes) -> bool:
        """
        @return: whether it was taken; if not, there is no room for it.
        """
        if not self._paused:
            self._write(data)
            return True
        if self._queued + len(data) > MAX_QUEUED:
            return False
        self._queue.append(data)
        self._queued += len(data)
        return True

    def sendUrgent(self, data: bytes) -> bool:
        """
        @return: see L{send}.
        """
        if not self._paused:
            self._write(data)
            return True
        if len(self._urgent) >= MAX_URGENT:
            return False
        self._urgent.append(data)
        return True

    def pauseProducing(self) -> None:
        """
        The transport has enough.
        """
        self._paused = True

    def resumeProducing(self) -> None:
        """
        The transport takes more; each write may pause us again.
        """
        self._paused = False
        while not self._paused and (self._urgent or self._queue):
            if self._urgent:
                self._write(self._urgent.popleft())
            else:
                data = self._queue.popleft()
                self._queued -= len(data)
                self._write(data)

    def stopProducing(self) -> None:
        """
        The transport closes: nothing more is sent.
        """
        self._paused = True
        self._urgent.clear()
        self._queue.clear()
        self._queued = 0
