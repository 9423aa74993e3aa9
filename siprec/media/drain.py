"""
From the sockets of many streams to their journals, a slice of the streams at a time.

A slice is: take what waits on each RTP socket, until the arena is full; take the RTCP
that came to these streams; put the record headers before all packets at once by numpy;
write every journal in one call that gives the interpreter lock away.  No packet is looked
at by itself, but for RTCP, of which there is one in hundreds, and RTP that is not what was
to be expected next.

The larger a slice, the less each packet has of what a call of numpy costs.  It does not
keep a reactor waiting, as every call in it is short: a thread that wants the lock is given
it within 5 ms (C{sys.getswitchinterval}), in the midst of a slice as well.
"""

import errno
import socket
import time
from collections.abc import Callable, Iterable
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from siprec.media.batch import Receiver
from siprec.media.control import WAITING, Control, Taken, failure
from siprec.media.counting import countIn
from siprec.media.discarding import LATE, Discards
from siprec.media.hearing import Hearing, hearAnew
from siprec.media.journal import fileHeader, startFor
from siprec.media.layout import Chosen, Layout, Plan, Runs
from siprec.media.origin import Expected
from siprec.media.sifting import Sifting
from siprec.media.stream import CapturedStream, Cells
from siprec.media.writing import LIMIT, Writer

__all__ = ["Drain"]

#: The most RTP packets that one visit takes: with the RTCP, two vectors each must fit into
#: one write.  The rest waits in the kernel.
_PACKETS = LIMIT // 2 - WAITING
_CONTROL_SLOTS = 256  # for the RTCP of all streams in one slice
_ROUNDS = 16  # in which a stream is emptied at its end, if its peer goes on sending
_RETRY = 1.0  # seconds between attempts to open a journal
_INT = np.int64

_Rows = NDArray[np.int64]


class Drain:
    """
    Knows no threads: whoever calls is the one that may touch the streams' journals.

    @ivar streams: those being visited, in order.
    @ivar withholding: what comes is counted, and not written.
    """

    def __init__(
        self,
        receiver: Receiver,
        writer: Writer,
        report: Callable[[CapturedStream, OSError], None],
        monotonic: Callable[[], float] = time.monotonic,
        tell: Callable[[CapturedStream, str, str], None] = lambda stream, kind, host: None,
    ) -> None:
        """
        @param receiver: with 1,024 slots or more.
        @param report: called once per stream, at its first failure.
        @param tell: called with what is new of who sends a stream; see L{Sifting}.
        """
        if receiver.slots < LIMIT:
            raise ValueError(f"{receiver.slots} slots: at least {LIMIT} are needed")
        self.streams: list[CapturedStream] = []
        self.withholding = False
        self._sockets: list[socket.socket] = []
        self._rows = np.zeros(0, _INT)
        self._cells = Cells(64)
        self._receiver, self._writer, self._report = receiver, writer, report
        self._monotonic = monotonic
        self._layout, self._hearing = Layout(receiver), Hearing(receiver)
        self._sifting = Sifting(receiver, self._cells, _PACKETS, monotonic, tell)
        self._control = Control(receiver, self._sifting, self._fail)

    def add(self, stream: CapturedStream) -> None:
        """
        Visit C{stream} from now on.
        """
        try:
            self._control.add(stream)
        except (OSError, ValueError) as error:
            # It was closed already; finish() will find nothing to do.
            self._fail(stream, OSError(errno.EBADF, f"cannot be watched: {error}"))
            return
        stream.place = len(self.streams)
        self.streams.append(stream)
        self._sockets.append(stream.pair.rtp)
        self._rows = np.append(self._rows, self._cells.adopt(stream))

    def finish(self, stream: CapturedStream) -> None:
        """
        Empty the sockets of C{stream} for the last time and let go of it.
        """
        place = stream.place
        if place < 0:
            return
        try:
            for _ in range(_ROUNDS):
                if not self._slice(place, [stream.pair.rtp], 0.0)[1]:
                    break
            self._sifting.decide(stream)
            self._takeWon()
            self._slice(place, [stream.pair.rtp], 0.0, final=True)
        finally:
            self._control.remove(stream)
            self._rows[place] = self._rows[-1]  # the last one takes its place
            self._rows = self._rows[:-1]
            self.streams[-1].place, stream.place = place, -1
            self.streams[place], self._sockets[place] = self.streams[-1], self._sockets[-1]
            del self.streams[-1], self._sockets[-1]
            self._cells.release(stream)

    def mute(self, stream: CapturedStream) -> None:
        """
        Keep nothing of C{stream} from now on, RTCP in hand neither.
        """
        if stream.discards is None or stream.discards.until is not None:
            stream.discard(Discards())
        self._control.forget(stream)
        self._sifting.forget(stream)

    def unmute(self, stream: CapturedStream) -> None:
        """
        Keep what comes at the sockets of C{stream} from now on.
        """
        if stream.discards is None or stream.place < 0:
            return
        for _ in range(_ROUNDS):
            before = stream.discarded
            full = self._slice(stream.place, [stream.pair.rtp], 0.0)[1]
            if stream.discarded == before and not full:
                break
        stream.discards.until = self._monotonic() + LATE
        hearAnew(stream)
        self._sifting.forget(stream)

    def expect(self, stream: CapturedStream, expected: Expected) -> None:
        """
        See L{siprec.media.interfaces.ICapture.expect}.
        """
        self._sifting.expect(stream, expected)
        self._takeWon()

    def unsynced(self) -> list[tuple[CapturedStream, int]]:
        """
        @return: the streams whose journals have grown since the last call, with the
            descriptors of these.
        """
        files = self._cells.grown(self._rows)
        return [(self.streams[place], file) for place, file in files if file >= 0]

    def close(self) -> None:
        """
        Give back what the kernel holds.
        """
        self._control.close()
        self._writer.close()

    def visit(self, begin: int, budget: float) -> int:
        """
        One slice: drain C{streams[begin:]} for as long as C{budget} seconds and the
        arena last, and write what came.

        @return: the index of the first stream that was not visited, to go on with.
        """
        return begin + self._slice(begin, islice(self._sockets, begin, None), budget)[0]

    def _slice(
        self, begin: int, sockets: Iterable[socket.socket], budget: float, final: bool = False
    ) -> tuple[int, bool]:
        """
        @param begin: the place of the stream that the first socket belongs to.
        @param final: hold no RTCP back.
        @return: how many sockets were visited, and whether RTP was left in any.
        """
        receiver = self._receiver
        receiver.reset()
        until = self._monotonic() + budget
        came, full = receiver.sweep(sockets, _PACKETS, _CONTROL_SLOTS, until)
        counts = np.array(came, _INT)
        for index in np.flatnonzero(counts < 0).tolist():
            self._fail(self.streams[begin + index], failure(came[index]))
        rows = self._rows[begin : begin + len(counts)]
        streams = Chosen(self.streams, range(begin, begin + len(counts)))
        counts = self._sifting.sift(streams, rows, counts.clip(0))
        # After the RTP: then all RTCP older than the RTP in hand is in hand too.
        control = self._control.take(begin, counts, full, final)
        if receiver.used:
            self._flush(self._runsOf(begin, counts, control))
        self._takeWon()
        return len(came), bool(full)

    def _takeWon(self) -> None:
        """
        Take what was held until it was known who sends it.
        """
        for stream, control, counts in self._sifting.wins():
            self._control.keep(stream, control)
            if self._receiver.used:
                self._flush(self._runsOf(stream.place, counts, []))

    def _fail(self, stream: CapturedStream, error: OSError) -> None:
        if stream.failed(error):
            self._report(stream, error)

    def _runsOf(self, begin: int, came: _Rows, control: list[Taken]) -> Runs:
        index = np.flatnonzero(came)
        places, counts, split = begin + index, came[index], len(index)
        joins: list[int] = []
        if control:
            runs = (came > 0).cumsum() - 1
            places = np.append(places, [begin + place for _, _, place in control])
            counts = np.append(counts, [slots for _, slots, _ in control])
            joins = [int(runs[place]) if came[place] else -1 for _, _, place in control]
        rows, firsts = self._rows[places], counts.cumsum() - counts
        batch = self._receiver.batch()
        octets = np.add.reduceat(batch.length, firsts)
        streams = Chosen(self.streams, places)
        return Runs(streams, rows, firsts, counts, split, batch, octets, joins)

    def _flush(self, runs: Runs) -> None:
        countIn(self._cells, runs)
        self._hearing.hear(self._cells, runs)
        if self.withholding:
            np.add.at(self._cells.data["unwritten"], runs.rows, runs.counts)
            return
        blocked, heads = self._open(runs)
        self._layout.describe(runs, self._cells.data["startNs"][runs.rows])
        plan = self._layout.plan(runs, heads)
        if blocked:
            for run, stream in enumerate(plan.streams):
                if stream in blocked:
                    stream.unwritten += int(plan.counts[run])
            plan = plan.without(blocked)
        if plan.streams:
            self._write(plan)

    def _open(self, runs: Runs) -> tuple[set[CapturedStream], dict[CapturedStream, bytes]]:
        """
        See that each journal is open and its start known.

        @return: the streams that cannot be written, and the file headers to write.
        """
        blocked: set[CapturedStream] = set()
        heads: dict[CapturedStream, bytes] = {}
        for run in np.flatnonzero(self._cells.data["position"][runs.rows] == 0).tolist():
            stream = runs.streams[run]
            if stream in blocked or stream in heads:
                continue
            if stream.file < 0 and not self._opened(stream):
                blocked.add(stream)
            elif stream.position == 0:
                mine = np.repeat(runs.rows == runs.rows[run], runs.counts)
                stream.startNs = startFor(int(runs.batch.arrival[mine].min()))
                pair = stream.pair
                heads[stream] = fileHeader(stream.startNs, pair.host, pair.rtpPort)
        return blocked, heads

    def _opened(self, stream: CapturedStream) -> bool:
        now, journal = self._monotonic(), stream.journal
        if now < journal.retryAt:
            return False
        try:
            stream.file, stream.position, stream.startNs = journal.open()
        except OSError as error:
            journal.retryAt = now + _RETRY
            self._fail(stream, error)
            return False
        return True

    def _write(self, plan: Plan) -> None:
        cells = self._cells.data
        files, positions = cells["file"][plan.rows], cells["position"][plan.rows]
        written = self._writer.write(files, positions, self._layout.addresses(plan), plan.pieces)
        well = written == plan.sizes
        cells["position"][plan.rows[well]] += plan.sizes[well]
        for run in np.flatnonzero(~well).tolist():
            self._mend(plan, run, int(written[run]))

    def _mend(self, plan: Plan, run: int, written: int) -> None:
        stream = plan.streams[run]
        data, ends = self._layout.content(plan, run)
        whole, stream.position, error = stream.journal.mend(
            stream.file, stream.position, data, ends, written
        )
        stream.unwritten += int(plan.counts[run]) - whole
        if error is not None:
            self._fail(stream, error)
