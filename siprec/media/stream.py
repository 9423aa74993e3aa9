"""
One captured stream: what was counted of it, and its journal file.
"""

import errno
import os
from collections.abc import Callable
from contextlib import suppress

import numpy as np
from attrs import define, field
from numpy.typing import NDArray
from zope.interface import implementer

from siprec.media.batch import Held
from siprec.media.discarding import Discards
from siprec.media.interfaces import ICapturedStream, IPortPair
from siprec.media.journal import BadJournal, journalEnd
from siprec.media.latching import Latch
from siprec.media.origin import CLOSED, OPEN, Expected, maskOf
from siprec.media.reception import Sources
from siprec.media.srtp import Protection

__all__ = ["CapturedStream", "Cells", "JournalFile"]

_NEVER = np.iinfo(np.int64).max
_CELL = np.dtype(
    [
        *(
            (name, np.int64)
            for name in (
                *("file", "position", "startNs", "firstNs", "lastNs", "packets", "octets"),
                *("controlPackets", "truncated", "unwritten", "rtpDrops", "rtcpDrops"),
                *("secured", "muted", "heardNs", "discarded", "synced"),
                # The source that is being heard; see L{siprec.media.hearing}.
                *("expected", "highest", "received", "timestamp", "arrival"),
                # Whose packets are taken; see L{siprec.media.origin.maskOf}.
                *("mask", "head", "high", "low"),
            )
        ),
        *((name, np.float64) for name in ("rate", "jitter")),
    ]
)


class Cells:
    """
    The numbers of many streams, a row each, so that numpy can bring those of all the
    streams in a slice up to date at once.

    @ivar data: the rows; replaced when there are more.
    """

    def __init__(self, size: int) -> None:
        self.data = np.zeros(size, _CELL)
        self.data["file"], self.data["firstNs"], self.data["expected"] = -1, _NEVER, -1
        self._free = list(range(size))

    def adopt(self, stream: "CapturedStream") -> int:
        """
        Keep the numbers of C{stream} here from now on.

        @return: its row.
        """
        if not self._free:
            size = len(self.data)
            self.data = np.concatenate([self.data, self.data])
            self._free = list(range(size, 2 * size))
        row = self._free.pop()
        before, old = stream.cell
        self.data[row] = before.data[old]
        stream.cell = (self, row)
        return row

    def release(self, stream: "CapturedStream") -> None:
        """
        Give C{stream} its numbers to keep, and its row to another.
        """
        row, own = stream.cell[1], Cells(1)
        own.data[0] = self.data[row]
        stream.cell = (own, 0)
        self._free.append(row)

    def grown(self, rows: NDArray[np.int64]) -> list[tuple[int, int]]:
        """
        @return: of these rows those whose journals have grown since this was last asked:
            which of them, and the descriptor.
        """
        grown = np.flatnonzero(self.data["position"][rows] > self.data["synced"][rows])
        rows = rows[grown]
        self.data["synced"][rows] = self.data["position"][rows]
        return list(zip(grown.tolist(), self.data["file"][rows].tolist(), strict=True))


class _Number:
    """
    An attribute that lives in a L{Cells}.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, stream: "CapturedStream", owner: type) -> int:
        cells, row = stream.cell
        return int(cells.data[self._name][row])

    def __set__(self, stream: "CapturedStream", value: int) -> None:
        cells, row = stream.cell
        cells.data[self._name][row] = value


@define(eq=False, repr=False)
class JournalFile:
    """
    The file of one journal, which is always written at a known position: the end of
    a whole record.

    @ivar identity: device and inode of the file, once somebody looked.
    @ivar retryAt: not before this time is opening worth another try.
    """

    path: str
    identity: tuple[int, int] | None = None
    retryAt: float = 0.0
    _pwrite: Callable[[int, bytes, int], int] = os.pwrite

    def open(self) -> tuple[int, int, int]:
        """
        Open the file; one that is there already is continued.

        @return: the descriptor, the end of the last whole record (0: there is no
            header yet) and the start time in nanoseconds.
        @raise OSError: it cannot be opened, or is no journal.
        """
        self.identity = None
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(self.path, flags | os.O_EXCL, 0o640), 0, 0
        except FileExistsError:
            descriptor = os.open(self.path, flags, 0o640)
        try:
            header, end = None, 0
            size = os.fstat(descriptor).st_size
            if size:
                header, end = journalEnd(self.path)
            if size > end:
                # What is left of a write that was cut short must not follow the next.
                os.ftruncate(descriptor, end)
            return descriptor, end, 0 if header is None else header.startNs
        except BadJournal as error:
            os.close(descriptor)
            raise OSError(errno.EEXIST, f"in the way: {error}", self.path) from error
        except OSError:
            os.close(descriptor)
            raise

    def isThere(self) -> bool:
        """
        @return: whether the path names the file that it named at the first call.
        """
        try:
            status = os.stat(self.path)
        except OSError:
            return False
        found = status.st_dev, status.st_ino
        if self.identity is None:
            self.identity = found
        return found == self.identity

    def close(self, descriptor: int, last: bool) -> None:
        """
        @param last: nothing more will be written.  A file in which there is nothing
            goes away then: whatever came first was not to be kept.
        @raise OSError: not all may be on the disk, or it is not where it was.
        """
        try:
            os.fsync(descriptor)
            size = os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
        if last and not self.isThere():
            raise OSError(errno.ENOENT, "the journal was removed", self.path)
        if last and not size:
            os.unlink(self.path)

    def mend(
        self, descriptor: int, position: int, data: bytes, ends: NDArray[np.int64], written: int
    ) -> tuple[int, int, OSError | None]:
        """
        Complete a write that was cut short, or else take the file back to the end of
        the last record that is whole.

        @param data: all that was to be written at C{position}.
        @param ends: where in C{data} each record ends.
        @param written: how much of it was; 0 or below: none.
        @return: how many records are in the file, the position then, and why not all.
        """
        error: OSError | None = None
        written = max(written, 0)
        try:
            # If nothing was, this tells why, or does it: not all kinds of files can
            # be written in the other way.
            while written < len(data):
                written += self._pwrite(descriptor, data[written:], position + written)
        except OSError as failure:
            error = OSError(failure.errno, failure.strerror, self.path)
        whole = int(ends.searchsorted(written, "right"))
        good = int(ends[whole - 1]) if whole else 0
        if written > good:
            # Failing that, the next write goes over it, and a reader stops before it.
            with suppress(OSError):
                os.ftruncate(descriptor, position + good)
        return whole, position + good, error


def _ownCell() -> tuple[Cells, int]:
    return Cells(1), 0


@implementer(ICapturedStream)
@define(eq=False, repr=False)
class CapturedStream:
    """
    See L{ICapturedStream}.

    @ivar cell: where its numbers are.
    @ivar place: where it is among the streams being visited.
    @ivar pending: RTCP packets that wait for the RTP that came before them.
    @ivar file: the descriptor of the open journal; below 0: none.
    @ivar position: where the next write goes; 0: the file is to be opened or its
        header still to be written.
    @ivar startNs: what the offsets of the records count from.
    @ivar synced: the position up to which it was handed to the disk.
    @ivar protection: what opens its packets; C{None}: they come in the clear.
    @ivar discards: what is not kept of them; C{None}: all is.
    @ivar sources: how well its packets come in.
    @ivar latch: who sends it; C{None}: whoever does.
    """

    path: str
    pair: IPortPair
    journal: JournalFile
    error: str | None = None
    pending: list[Held] = field(factory=list)
    cell: tuple[Cells, int] = field(factory=_ownCell)
    place: int = -1
    protection: Protection | None = None
    discards: Discards | None = None
    sources: Sources = field(factory=Sources)
    latch: Latch | None = None

    file = _Number()
    position = _Number()
    startNs = _Number()
    firstNs = _Number()
    lastNs = _Number()
    packets = _Number()
    octets = _Number()
    controlPackets = _Number()
    truncated = _Number()
    unwritten = _Number()
    rtpDrops = _Number()
    rtcpDrops = _Number()
    secured = _Number()
    muted = _Number()
    heardNs = _Number()
    discarded = _Number()
    synced = _Number()

    def protect(self, protection: Protection | None) -> None:
        """
        Have its packets opened from now on, or not any more.
        """
        self.protection, self.secured = protection, int(protection is not None)
        self.aim()

    def expect(self, expected: Expected, now: int) -> None:
        """
        See L{siprec.media.interfaces.ICapture.expect}.

        @param now: nanoseconds since the epoch.
        """
        if self.latch is None:
            self.latch = Latch(self.pair.rtp.family)
        self.latch.expect(expected, now)
        if self._keyed:
            self.latch.releaseAll()
        self.aim()

    def aim(self) -> None:
        """
        Have the packets taken of whom L{latch} says now.
        """
        mask, key = CLOSED
        if self.latch is None or self.latch.open or self._keyed:
            mask, key = OPEN
        elif self.latch.current is not None:
            key = self.latch.current
            mask = maskOf(key)
        cells, row = self.cell
        for name, value in zip(("mask", "head", "high", "low"), (mask, *key), strict=True):
            cells.data[name][row] = value

    @property
    def _keyed(self) -> bool:
        # Who has the key is the sender, wherever it sends from.
        latch = self.latch
        return self.protection is not None and latch is not None and latch.expected.how == "latch"

    @property
    def strangers(self) -> int:
        """
        See L{ICapturedStream}.
        """
        return 0 if self.latch is None else self.latch.strangers

    def discard(self, discards: Discards | None) -> None:
        """
        Have part of its packets discarded from now on, or not any more.
        """
        self.discards, self.muted = discards, int(discards is not None)

    def noteDiscarded(self, count: int, arrival: int) -> None:
        """
        So many packets are not kept, of which the last one came at C{arrival}, in
        nanoseconds since the epoch.
        """
        self.discarded += count
        self.heardNs = max(self.heardNs, arrival)

    @property
    def unauthenticated(self) -> int:
        """
        See L{ICapturedStream}.
        """
        return 0 if self.protection is None else self.protection.unauthenticated

    @property
    def replayed(self) -> int:
        """
        See L{ICapturedStream}.
        """
        return 0 if self.protection is None else self.protection.replayed

    @property
    def kernelDrops(self) -> int:
        """
        See L{ICapturedStream}.
        """
        return self.rtpDrops + self.rtcpDrops

    @property
    def firstArrival(self) -> float | None:
        """
        See L{ICapturedStream}.
        """
        return None if self.firstNs == _NEVER else self.firstNs / 1e9

    @property
    def lastArrival(self) -> float | None:
        """
        See L{ICapturedStream}.
        """
        return self.lastNs / 1e9 or None

    @property
    def lastHeard(self) -> float | None:
        """
        See L{ICapturedStream}.
        """
        return max(self.lastNs, self.heardNs) / 1e9 or None

    def failed(self, error: Exception) -> bool:
        """
        @return: whether this is the first failure, the one to report.
        """
        if self.error is not None:
            return False
        self.error = str(error)
        return True

    def releaseFile(self) -> int:
        """
        @return: the descriptor, which is the caller's to close now; below 0: none.
        """
        descriptor, self.file, self.position, self.synced = self.file, -1, 0, 0
        return descriptor
