"""
The RTCP of many streams, one packet in hundreds: which of their sockets have some, and when
it may be written so that a journal is in arrival order across both its sockets.
"""

import os
from collections.abc import Callable

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from siprec.media.batch import Held, Receiver
from siprec.media.hearing import hearControl
from siprec.media.sifting import Sifting
from siprec.media.stream import CapturedStream
from siprec.media.watch import Watch

__all__ = ["WAITING", "Control", "Taken", "failure"]

#: The most RTCP packets that one stream may have waiting; more waits in the kernel.
WAITING = 64
_READY = 4096  # sockets of which one look at all tells

#: A stream with RTCP to write: how many packets, and which of the slice it is.
Taken = tuple[CapturedStream, int, int]


def failure(negated: int) -> OSError:
    """
    @param negated: an errno, negated.
    """
    return OSError(-negated, os.strerror(-negated))


def _watch() -> Watch:
    return Watch(_READY, once=True)


@define(eq=False, repr=False)
class Control:
    """
    Knows the arena of one L{Receiver}.

    @ivar _failed: called with what a socket gives instead of packets.
    @ivar _due: the streams whose socket was named and was not yet emptied.  It is named
        once: to have all that wait looked at in each slice costs more than they do.
    @ivar _holding: those of which packets wait for RTP that came before them.
    """

    _receiver: Receiver
    _sifting: Sifting
    _failed: Callable[[CapturedStream, OSError], None]
    _watch: Watch = field(factory=_watch, init=False)
    _byDescriptor: dict[int, CapturedStream] = field(factory=dict, init=False)
    _descriptors: dict[CapturedStream, int] = field(factory=dict, init=False)
    _due: dict[CapturedStream, None] = field(factory=dict, init=False)
    _holding: dict[CapturedStream, None] = field(factory=dict, init=False)

    def add(self, stream: CapturedStream) -> None:
        """
        Look after the RTCP socket of a stream.

        @raise OSError: it cannot be watched.
        @raise ValueError: it is closed.
        """
        self._watch.add(stream.pair.rtcp)
        self._descriptors[stream] = number = stream.pair.rtcp.fileno()
        self._byDescriptor[number] = stream

    def remove(self, stream: CapturedStream) -> None:
        """
        Let go of it.
        """
        self._watch.remove(stream.pair.rtcp)
        del self._byDescriptor[self._descriptors.pop(stream)]
        self._due.pop(stream, None)
        self._holding.pop(stream, None)

    def forget(self, stream: CapturedStream) -> None:
        """
        Keep nothing of what waits.
        """
        stream.pending = []
        self._holding.pop(stream, None)

    def close(self) -> None:
        """
        Give back what the kernel holds.
        """
        self._watch.close()

    def take(
        self, begin: int, counts: NDArray[np.int64], full: set[int], final: bool
    ) -> list[Taken]:
        """
        Take what waits on the RTCP sockets of the streams in a slice.

        @param counts: packets of each stream, from the one at C{begin} on.
        @param full: which of them may have more RTP.
        @param final: hold nothing back.
        @return: what of it is to be written now, and has its slots after those of the RTP.
        """
        for number in self._watch.ready():
            self._due[self._byDescriptor[number]] = None
        # That of other streams is looked at with their RTP.
        end = begin + len(counts)
        due = [stream for stream in self._due if begin <= stream.place < end]
        waited = {
            stream: len(stream.pending) for stream in self._holding if begin <= stream.place < end
        }
        if not (due or waited):
            return []
        control: list[Taken] = []
        ends = counts.cumsum()

        def newestOf(index: int) -> int:
            return self._receiver.arrivalOf(int(ends[index]) - 1) if counts[index] > 0 else 0

        for stream in due:
            index = stream.place - begin
            slots = self._receive(stream, newestOf(index))
            if slots:
                control.append((stream, slots, index))
        for stream in [each for each in self._holding if begin <= each.place < end]:
            index = stream.place - begin
            old = 0 if index in full else waited.get(stream, 0)
            old = len(stream.pending) if final else old
            slots = self._ripen(stream, newestOf(index), old)
            if slots:
                control.append((stream, slots, index))
        return control

    def _receive(self, stream: CapturedStream, newest: int) -> int:
        """
        Take what waits on one RTCP socket.

        @param newest: when the newest RTP in hand came.
        @return: how many packets of it are in slots; what may come before RTP that does
            not is held.
        """
        receiver, first = self._receiver, self._receiver.used
        limit = min(WAITING - len(stream.pending), receiver.slots - first)
        count = receiver.receive(stream.pair.rtcp, limit) if limit else 0
        if 0 <= count < limit:
            del self._due[stream]
        if count < 0:
            self._failed(stream, failure(count))
        if count <= 0:
            return 0
        if drops := receiver.dropsOf(first + count - 1):
            stream.rtcpDrops = drops
        if not stream.pending and self._sifting.isPlain(stream, first, count):
            arrivals = [receiver.arrivalOf(slot) for slot in range(first, first + count)]
            if max(arrivals) <= newest:
                # Nearly all of it: it can stay where it is.
                for slot, arrival in enumerate(arrivals, first):
                    stream.sources.takeControl(receiver.read(slot), arrival)
                return count
        self.keep(stream, self._sifting.control(stream, receiver.take(first), first))
        return 0

    def keep(self, stream: CapturedStream, taken: list[Held]) -> None:
        """
        Have RTCP that was taken wait for the RTP that came before it.
        """
        if taken:
            hearControl(stream, taken)
            stream.pending += taken
            self._holding[stream] = None

    def _ripen(self, stream: CapturedStream, newest: int, waited: int) -> int:
        """
        Put into slots the RTCP that no RTP still to come can precede: it is no later
        than the newest RTP in hand, or was already here before the RTP socket was
        emptied.  So the journal is in arrival order across both sockets.

        @return: how many slots.
        """
        receiver, pending, ripe = self._receiver, stream.pending, 0
        room = receiver.slots - receiver.used
        while ripe < min(len(pending), room):
            if ripe >= waited and pending[ripe].arrival > newest:
                break
            receiver.place(pending[ripe].arrival, pending[ripe].data, wire=pending[ripe].wire)
            ripe += 1
        stream.pending = pending[ripe:]
        if not stream.pending:
            del self._holding[stream]
        return ripe
