"""
What is taken of the packets that came, a slice of the streams at a time: those of who
sends the stream, opened where they are protected, and not those that are not to be kept.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from siprec.media.batch import HEADROOM, Held, Receiver
from siprec.media.discarding import discard, discardControl
from siprec.media.hearing import lastHeard
from siprec.media.latching import Heard, isMedia
from siprec.media.opening import openControl, openRun
from siprec.media.origin import Expected, Key, keysOf, strangers
from siprec.media.stream import CapturedStream, Cells

__all__ = ["Sifting"]

_Rows = NDArray[np.int64]


class Sifting:
    """
    Knows the arena of one L{Receiver}.
    """

    def __init__(
        self,
        receiver: Receiver,
        cells: Cells,
        most: int,
        monotonic: Callable[[], float],
        tell: Callable[[CapturedStream, str, str], None],
    ) -> None:
        """
        @param most: packets that one stream may have in the arena.
        @param tell: called with what is new of a stream's sender; see L{Latch.news}.
        """
        self._won: dict[CapturedStream, None] = {}
        self._receiver, self._cells, self._most = receiver, cells, most
        self._monotonic, self._tell = monotonic, tell

    def sift(self, streams: Sequence[CapturedStream], rows: _Rows, counts: _Rows) -> _Rows:
        """
        Take out of the arena what just came and is not to be recorded.

        @param rows: of the streams, in L{Cells}.
        @param counts: packets of each stream, in order.
        @return: how many are left of each.
        """
        if self._receiver.used:
            counts = self.open(streams, rows, self._admit(streams, rows, counts))
        return counts

    def open(self, streams: Sequence[CapturedStream], rows: _Rows, counts: _Rows) -> _Rows:
        """
        The same with packets of who sends the streams.
        """
        return self._discard(streams, rows, self._unprotect(streams, rows, counts))

    def _admit(self, streams: Sequence[CapturedStream], rows: _Rows, counts: _Rows) -> _Rows:
        """
        Take out of the arena what strangers sent.
        """
        names = self._receiver.names(0, self._receiver.used)
        strange = strangers(names, counts, rows, self._cells.data)
        if strange is None:
            return counts
        ends = counts.cumsum()
        runs = np.unique(ends.searchsorted(np.flatnonzero(strange), "right"))
        for index in runs.tolist():
            first = int(ends[index] - counts[index])
            run = strange[first : int(ends[index])]
            if _muted(streams[index]):
                run[:] = False  # it is discarded, whoever sent it
            else:
                self._look(streams[index], first, run)
        return self._without(np.flatnonzero(strange).tolist(), counts, ends)

    def _look(self, stream: CapturedStream, first: int, strange: NDArray[np.bool_]) -> None:
        """
        Look at what came from others than is expected.

        @param strange: which of the packets from C{first} on.
        """
        latch, receiver = stream.latch, self._receiver
        assert latch is not None
        heard = self._heard(stream, first, strange)
        slots = np.flatnonzero(strange)
        keys = keysOf(receiver.names(first, len(strange))[slots])
        refused: Counter[Key] = Counter()
        ssrcs = self._ssrcs(first + slots)
        for slot, key, ssrc in zip((first + slots).tolist(), keys, ssrcs, strict=True):
            if latch.hopeless(key, ssrc, heard):
                refused[key] += 1  # there may be very many of them
            else:
                latch.take(key, receiver.held(slot), heard)
        for key, count in refused.items():
            latch.refuse(key, count)
        self.note(stream)

    def _ssrcs(self, slots: _Rows) -> list[int]:
        receiver = self._receiver
        arena = receiver.memory[: receiver.slots * receiver.stride].reshape(receiver.slots, -1)
        octets = arena[slots, HEADROOM + 8 : HEADROOM + 12]
        found: list[int] = octets.copy().view(">u4").reshape(-1).tolist()
        return found

    def _heard(self, stream: CapturedStream, first: int, strange: NDArray[np.bool_]) -> Heard:
        heard = lastHeard(stream)
        for slot in (first + np.flatnonzero(~strange)[::-1]).tolist():
            if isMedia(self._receiver.read(slot)):
                return Heard(self._receiver.arrivalOf(slot), heard.ssrc, heard.highest)
        return heard

    def isPlain(self, stream: CapturedStream, first: int, count: int) -> bool:
        """
        @return: whether what just came at the RTCP port of a stream is to be kept as it is
            in C{count} slots: in the clear, and from who sends the stream.
        """
        if stream.protection is not None or stream.discards is not None:
            return False
        latch = stream.latch
        if latch is None or latch.open:
            return True
        return all(map(latch.knows, keysOf(self._receiver.names(first, count))))

    def control(self, stream: CapturedStream, taken: list[Held], first: int) -> list[Held]:
        """
        @param taken: what came at the RTCP port of a stream.
        @param first: the slot in which the first of it was received.
        @return: what of it is to be kept, in the clear.
        """
        latch = stream.latch
        checked = self._cells.data["mask"][stream.cell[1]] and not _muted(stream)
        if latch is not None and checked:
            heard, keys = lastHeard(stream), keysOf(self._receiver.names(first, len(taken)))
            pairs = zip(keys, taken, strict=True)
            taken = [each for key, each in pairs if latch.takeControl(key, each, heard)]
            self.note(stream)
        return self.openControl(stream, taken)

    def openControl(self, stream: CapturedStream, taken: list[Held]) -> list[Held]:
        """
        The same with packets of who sends the stream.
        """
        if stream.protection is not None:
            taken = openControl(stream.protection, taken)
        return discardControl(stream, taken) if stream.muted else taken

    def wins(self) -> Iterator[tuple[CapturedStream, list[Held], _Rows]]:
        """
        Streams of which packets were held until it was known who sends them.

        @return: each stream while the RTP is in the arena, its RTCP, and how many packets
            of RTP there are.
        """
        while self._won:
            stream, _ = self._won.popitem()
            latch = stream.latch
            if latch is None or stream.place < 0:
                continue
            held, latch.won = latch.won[: self._most], latch.won[self._most :]
            control, latch.wonControl = latch.wonControl, []
            if latch.won:
                self._won[stream] = None
            self._receiver.reset()
            for each in held:
                self._receiver.place(each.arrival, each.data, each.drops, each.wire)
            rows, counts = np.array([stream.cell[1]]), np.array([len(held)])
            yield stream, self.openControl(stream, control), self.open([stream], rows, counts)

    def expect(self, stream: CapturedStream, expected: Expected) -> None:
        """
        Say who sends a stream.
        """
        stream.expect(expected, time.time_ns())
        self.note(stream)

    def decide(self, stream: CapturedStream) -> None:
        """
        Take what is held of the most likely sender, and forget the others.
        """
        if stream.latch is not None:
            stream.latch.finish(lastHeard(stream))
            self.forget(stream)

    def forget(self, stream: CapturedStream) -> None:
        """
        Take nothing of what is held.
        """
        if stream.latch is not None:
            stream.latch.forget()
            self.note(stream)

    def note(self, stream: CapturedStream) -> None:
        """
        Do what follows from what the latch of a stream has learnt.
        """
        latch = stream.latch
        assert latch is not None
        stream.aim()
        if latch.won or latch.wonControl:
            self._won[stream] = None
        for kind, host in latch.news:
            self._tell(stream, kind, host)
        latch.news.clear()

    def _unprotect(self, streams: Sequence[CapturedStream], rows: _Rows, counts: _Rows) -> _Rows:
        """
        Open what came as SRTP, and take out of the arena what cannot be.
        """
        secured = np.flatnonzero(self._cells.data["secured"][rows] * counts)
        ends = counts.cumsum()
        failed: list[int] = []
        for index in secured.tolist():
            protection = streams[index].protection
            if protection is not None:
                count = int(counts[index])
                failed += openRun(self._receiver, protection, int(ends[index]) - count, count)
        return self._without(failed, counts, ends)

    def _discard(self, streams: Sequence[CapturedStream], rows: _Rows, counts: _Rows) -> _Rows:
        """
        Take out of the arena what is not to be kept.
        """
        ends = counts.cumsum()
        muted = np.flatnonzero(self._cells.data["muted"][rows] * counts)
        chosen: list[int] = []
        for index in muted.tolist():
            run = int(ends[index] - counts[index]), int(counts[index])
            chosen += discard(self._receiver, streams[index], *run, self._monotonic())
        return self._without(chosen, counts, ends)

    def _without(self, slots: list[int], counts: _Rows, ends: _Rows) -> _Rows:
        if slots:
            np.subtract.at(counts, ends.searchsorted(slots, "right"), 1)
            self._receiver.keep(np.delete(np.arange(self._receiver.used), slots))
        return counts


def _muted(stream: CapturedStream) -> bool:
    return stream.discards is not None and stream.discards.until is None
