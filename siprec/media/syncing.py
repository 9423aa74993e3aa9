"""
Handing journals to the disk while they grow.

A write is in the kernel's memory, safe from a crash of the process but not from a
power cut, until the kernel gets round to writing it out, after half a minute or so.
"""

import ctypes
import errno
import os
import time
from collections.abc import Callable, Sequence

from attrs import define, field

from siprec.media.stream import CapturedStream

__all__ = ["Pace", "Sync", "startWriting", "syncJournals"]

_SYNC_FILE_RANGE_WRITE = 2  # of linux/fs.h

#: The journals to sync, with their descriptors.
Sync = Sequence[tuple[CapturedStream, int]]


def _startFunction() -> Callable[..., int] | None:
    function = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if function is not None:
        function.argtypes = ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint
    return function


_start = _startFunction()


def startWriting(descriptor: int) -> None:
    """
    Have the kernel begin to write a file out, and do not wait for that.  It is of no
    matter if it does not: who waits later waits longer.
    """
    if _start is not None:
        _start(descriptor, 0, 0, _SYNC_FILE_RANGE_WRITE)


def syncJournals(
    journals: Sync,
    failed: Callable[[CapturedStream, OSError], None],
    start: Callable[[int], None] = startWriting,
    sync: Callable[[int], None] = os.fdatasync,
) -> None:
    """
    Wait until so many journals are on the disk.  Blocks.

    @param failed: called for each that could not be.
    """
    # All are begun before one is waited for: so a file system that writes down
    # its own changes together does that once, and not for each of them.
    for _, descriptor in journals:
        start(descriptor)
    for stream, descriptor in journals:
        try:
            sync(descriptor)
        except OSError as error:
            # Its capture may have ended meanwhile: then it was synced by whoever closed
            # it, and the number may be another file's by now.
            if stream.file == descriptor and error.errno != errno.EBADF:
                failed(stream, OSError(error.errno, error.strerror, stream.path))


@define(eq=False, repr=False)
class Pace:
    """
    When it is time to sync; one at a time, however long it takes.

    @ivar period: seconds from the begin of one to that of the next; 0: there is none.
    @ivar longest: seconds that the longest one has taken.
    @ivar done: how many there were.
    """

    period: float
    _monotonic: Callable[[], float] = time.monotonic
    longest: float = field(default=0.0, init=False)
    done: int = field(default=0, init=False)
    _began: float | None = field(default=None, init=False)
    _next: float = field(default=0.0, init=False)

    def due(self, now: float) -> bool:
        """
        @param now: as C{monotonic} says.
        @return: whether to begin; then L{ended} is to be called some time.
        """
        if not self.period or self._began is not None or now < self._next:
            return False
        self._began, self._next = now, now + self.period
        return True

    def ended(self) -> None:
        """
        All is on the disk, or has failed.
        """
        assert self._began is not None, "it has begun"
        self.longest = max(self.longest, self._monotonic() - self._began)
        self.done += 1
        self._began = None
