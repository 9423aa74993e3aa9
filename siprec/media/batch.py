"""
Taking many datagrams from a socket in one system call: Linux's C{recvmmsg}.

All packets land in one arena, each in a slot of its own with room in front, so that a
record header can be put before the packet where it lies and the whole be written
without copying it.  The kernel's arrival time (C{SO_TIMESTAMPNS}) and its count of
dropped packets (C{SO_RXQ_OVFL}) come along as control messages.
"""

import ctypes
import errno
import socket
import struct
import time
from collections.abc import Callable, Iterable

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from siprec.media.arena import HEADROOM, IOVEC, Arena
from siprec.media.origin import NAME, nameOf
from siprec.media.recvmmsg import RECVMMSG, Recvmmsg

__all__ = [
    "HEADROOM",
    "IOVEC",
    "Batch",
    "Held",
    "Receiver",
    "askForControl",
]

# Python's socket module does not name these; asm-generic/socket.h.
_SO_TIMESTAMPNS = 35
_SO_RXQ_OVFL = 40

# struct mmsghdr and the control messages as they lie on 64-bit Linux.
_MESSAGE = np.dtype(
    {
        "names": ["name", "namelen", "iov", "iovlen", "control", "controllen", "flags", "length"],
        "formats": ["u8", "u4", "u8", "u8", "u8", "u8", "i4", "u4"],
        "offsets": [0, 8, 16, 24, 32, 40, 48, 56],
        "itemsize": 64,
    }
)
_CONTROL = np.dtype(
    {
        "names": ["seconds", "nanos", "drops"],
        "formats": ["i8", "i8", "u4"],
        "offsets": [16, 24, 48],
        "itemsize": 64,
    }
)
# The control messages are told apart by how many octets there are: the time, which
# the kernel puts first, takes 32, the drops 24 more (only if there were any).
_STAMPED = 32
# The same fields, for reading and writing a single one.
_USED_AT, _USED = 40, struct.Struct("=Q")
_LENGTH_AT, _LENGTH = 56, struct.Struct("=I")
_TIME_AT, _TIME = 16, struct.Struct("=qq")
_DROPS_AT, _DROPS = 48, struct.Struct("=I")
_LEAST = 128  # free slots without which no more sockets are visited
_NOTHING = (errno.EAGAIN, errno.EINTR)
_FLAGS = socket.MSG_DONTWAIT | socket.MSG_TRUNC  # TRUNC: tell the true length


def askForControl(sock: socket.socket) -> None:
    """
    Have the kernel tell arrival times and drops with the packets of C{sock}.
    """
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)


@frozen
class Held:
    """
    A packet taken out of the arena, to be put in again later.

    @ivar drops: the socket's count of dropped packets so far; 0: not told.
    @ivar wire: octets that the datagram had.
    """

    arrival: int
    data: bytes
    drops: int
    wire: int


@frozen(eq=False)
class Batch:
    """
    What is known of the packets in the arena, one row per slot in use.

    @ivar arrival: int64, nanoseconds since the epoch (UTC).
    @ivar length: int64, octets captured.
    @ivar wire: int64, octets that the datagram had; more than C{length}: truncated.
    @ivar drops: int64, the socket's drop count when this packet was queued, or
        C{None} if no packet of the batch tells one.
    """

    arrival: NDArray[np.int64]
    length: NDArray[np.int64]
    wire: NDArray[np.int64]
    drops: NDArray[np.int64] | None


def _failure() -> int:
    code = ctypes.get_errno()
    return 0 if code in _NOTHING else -code


class Receiver:
    """
    Takes datagrams from sockets into its arena.

    @ivar used: slots in use; they fill from the front.
    @ivar slots: how many there are.
    @ivar memory: the arena.
    @ivar iovecs: shape (slots, 2): where each packet lies, slot and overflow.
    """

    def __init__(
        self,
        slots: int = 8192,
        slotSize: int = 704,
        overflow: int = 0x10000 - 704,
        recvmmsg: Recvmmsg | None = RECVMMSG,
        nanoseconds: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        @param slotSize: octets of a packet that are held in its slot; most audio has
            less.  With the headroom it had better be no power of two, or the first octets
            of all packets share few places in the processor's caches.
        @param overflow: octets beyond, per packet.  By default any UDP datagram
            fits; less truncates, which L{Batch.wire} shows.
        @param recvmmsg: C{None} for one C{recvmsg} per packet.
        @param nanoseconds: the time for packets that the kernel did not stamp.
        """
        arena = Arena(slots, slotSize, overflow)
        self.slots, self.slotSize = slots, slotSize
        self.used = 0
        self.memory, self.iovecs = arena.memory, arena.iovecs()
        self.stride = arena.stride
        self._overflow, self._capacity = overflow, slotSize + overflow
        self._beyond = slots * arena.stride
        self._recvmmsg = recvmmsg
        self._nanoseconds, self._monotonic = nanoseconds, monotonic
        self._messages = np.zeros(slots, _MESSAGE)
        self._control = np.zeros(slots, _CONTROL)
        self._names = np.zeros(slots, NAME)
        self._messages["name"] = self._names.ctypes.data + NAME.itemsize * np.arange(slots)
        self._messages["namelen"] = NAME.itemsize
        self._messages["iov"] = self.iovecs.ctypes.data + 2 * IOVEC.itemsize * np.arange(slots)
        self._messages["iovlen"] = 2
        self._messages["control"] = self._control.ctypes.data + 64 * np.arange(slots)
        self._messages["controllen"] = _CONTROL.itemsize
        self._address = self._messages.ctypes.data
        # By the attribute, since before Python 3.12 no type says that an array
        # is a buffer.
        self._view = self.memory.data
        self._messageView = self._messages.view(np.uint8).data
        self._controlView = self._control.view(np.uint8).data

    def reset(self) -> None:
        """
        Forget all packets; every slot is free again.
        """
        self._free(0)

    def _free(self, first: int) -> None:
        # The kernel has put there what it used.
        self._messages["controllen"][first : self.used] = _CONTROL.itemsize
        self._messages["namelen"][first : self.used] = NAME.itemsize
        self.used = first

    def sweep(
        self, sockets: Iterable[socket.socket], each: int, reserve: int, until: float
    ) -> tuple[list[int], set[int]]:
        """
        Take what waits on some sockets, one after the other, without blocking.

        @param each: the most datagrams to take from one socket.
        @param reserve: slots to leave free; the sweep ends when little more are.
        @param until: it also ends at this time on the monotonic clock, after at
            least one socket.
        @return: for each socket visited how many came, or an errno negated; and the
            indexes of those that may have more.
        """
        counts: list[int] = []
        full: set[int] = set()
        room, take, monotonic = self.slots - reserve, self._recvmmsg, self._monotonic
        first, size = self._address, _MESSAGE.itemsize
        for index, sock in enumerate(sockets):
            used = self.used
            limit = room - used
            if limit < _LEAST or (index & 7 == 7 and monotonic() >= until):
                break
            if limit > each:
                limit = each
            # What receive() does, without the cost of calling it for each socket.
            if take is None:
                count = self._receiveSingly(sock, limit)
            elif (count := take(sock.fileno(), first + size * used, limit, _FLAGS, None)) > 0:
                self.used = used + count
            elif count:
                count = _failure()
            counts.append(count)
            if count == limit:
                full.add(index)
        return counts, full

    def receive(self, sock: socket.socket, limit: int) -> int:
        """
        Take what waits on one socket, without blocking.

        @param limit: the most datagrams to take; no more than there are free slots.
        @return: how many came (less than C{limit}: no more waited), or an errno
            negated.
        """
        if self._recvmmsg is None:
            return self._receiveSingly(sock, limit)
        address = self._address + _MESSAGE.itemsize * self.used
        count = self._recvmmsg(sock.fileno(), address, limit, _FLAGS, None)
        if count < 0:
            return _failure()
        self.used += count
        return count

    def _receiveSingly(self, sock: socket.socket, limit: int) -> int:
        for count in range(limit):
            try:
                data, ancillary, flags, sender = sock.recvmsg(
                    self._capacity, 2 * socket.CMSG_SPACE(16), socket.MSG_DONTWAIT
                )
            except OSError as error:
                return count if count or error.errno in _NOTHING else -(error.errno or errno.EIO)
            arrival, drops = self._nanoseconds(), 0
            for level, kind, content in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS) and len(content) == 16:
                    seconds, nanos = struct.unpack("@qq", content)
                    arrival = seconds * 1_000_000_000 + nanos
                elif (level, kind) == (socket.SOL_SOCKET, _SO_RXQ_OVFL):
                    (drops,) = struct.unpack("@I", content[:4])
            # recvmsg does not tell how much longer it was; one octet at least.
            wire = len(data) + bool(flags & socket.MSG_TRUNC)
            if sender:
                self._names[self.used] = nameOf(sender[0], sock.family)
            self.place(arrival, data, drops, wire)
        return limit

    def place(self, arrival: int, data: bytes, drops: int = 0, wire: int = 0) -> None:
        """
        Put a packet into the next free slot.

        @param wire: octets that it had on the wire, if those are more.
        """
        slot, size = self.used, len(data)
        self.used += 1
        self.write(slot, data)
        seconds, nanos = divmod(arrival, 1_000_000_000)
        used = _STAMPED + 24 if drops else _STAMPED
        _TIME.pack_into(self._controlView, _TIME_AT + 64 * slot, seconds, nanos)
        _DROPS.pack_into(self._controlView, _DROPS_AT + 64 * slot, drops)
        _USED.pack_into(self._messageView, _USED_AT + 64 * slot, used)
        _LENGTH.pack_into(self._messageView, _LENGTH_AT + 64 * slot, max(wire, size))

    def write(self, slot: int, data: bytes) -> None:
        """
        Put other octets into a slot that is in use.
        """
        begin, beyond = slot * self.stride + HEADROOM, self._beyond + slot * self._overflow
        inside = min(len(data), self.slotSize)
        self._view[begin : begin + inside] = data[:inside]
        self._view[beyond : beyond + len(data) - inside] = data[inside:]
        _LENGTH.pack_into(self._messageView, _LENGTH_AT + 64 * slot, len(data))

    def read(self, slot: int) -> bytes:
        """
        @return: the octets in a slot, as far as they were captured.
        """
        (wire,) = _LENGTH.unpack_from(self._messageView, _LENGTH_AT + 64 * slot)
        size = min(wire, self._capacity)
        begin = slot * self.stride + HEADROOM
        if size <= self.slotSize:
            return self._view[begin : begin + size].tobytes()
        beyond, more = self._beyond + slot * self._overflow, size - self.slotSize
        near = self._view[begin : begin + self.slotSize].tobytes()
        return near + self._view[beyond : beyond + more].tobytes()

    def lengths(self, first: int, count: int) -> list[int]:
        """
        @return: the octets on the wire of the packets in C{count} slots.
        """
        found: list[int] = self._messages["length"][first : first + count].tolist()
        return found

    def places(self, first: int, count: int) -> tuple[list[int], range]:
        """
        @return: the addresses of the packets in C{count} slots, and those of their
            lengths on the wire (C{unsigned int}), for who changes both.
        """
        at = self._address + _LENGTH_AT + _MESSAGE.itemsize * first
        bases: list[int] = self.iovecs["base"][first : first + count, 0].tolist()
        return bases, range(at, at + _MESSAGE.itemsize * count, _MESSAGE.itemsize)

    def keep(self, slots: NDArray[np.int64]) -> None:
        """
        Forget all packets but those in C{slots}, which move to the front in this order.

        @param slots: ascending.
        """
        used = len(slots)
        for name in ("length", "controllen"):
            self._messages[name][:used] = self._messages[name][slots]
        self._free(used)
        self._control[:used] = self._control[slots]
        longest = int(self._messages["length"][:used].max(initial=0))
        near = self.memory[: self._beyond].reshape(self.slots, self.stride)[:, HEADROOM:]
        far = self.memory[self._beyond :][: self.slots * self._overflow].reshape(self.slots, -1)
        near[:used, :longest] = near[slots, :longest]
        if longest > self.slotSize:
            far[:used, : longest - self.slotSize] = far[slots, : longest - self.slotSize]

    def take(self, first: int) -> list[Held]:
        """
        Take the packets from slot C{first} on out of the arena again.
        """
        found = [self.held(slot) for slot in range(first, self.used)]
        self._free(first)
        return found

    def held(self, slot: int) -> Held:
        """
        @return: the packet in a slot that is in use.
        """
        (wire,) = _LENGTH.unpack_from(self._messageView, _LENGTH_AT + 64 * slot)
        return Held(self.arrivalOf(slot), self.read(slot), self.dropsOf(slot), wire)

    def names(self, first: int, count: int) -> NDArray[np.void]:
        """
        @return: of type L{NAME}, whom the packets in C{count} slots come from; only of
            those that were received there and not moved since.
        """
        return self._names[first : first + count]

    def arrivalOf(self, slot: int) -> int:
        """
        @return: when the packet in that slot came, nanoseconds since the epoch.
        """
        return self._timeOf(slot, *_USED.unpack_from(self._messageView, _USED_AT + 64 * slot))

    def dropsOf(self, slot: int) -> int:
        """
        @return: the socket's count of dropped packets that the packet in that slot tells;
            0: none.
        """
        (used,) = _USED.unpack_from(self._messageView, _USED_AT + 64 * slot)
        (drops,) = _DROPS.unpack_from(self._controlView, _DROPS_AT + 64 * slot)
        return int(drops) if used > _STAMPED else 0

    def _timeOf(self, slot: int, used: int) -> int:
        if used < _STAMPED:
            return self._nanoseconds()
        seconds, nanos = _TIME.unpack_from(self._controlView, _TIME_AT + 64 * slot)
        return int(seconds * 1_000_000_000 + nanos)

    def _arrivals(self, rows: slice) -> NDArray[np.int64]:
        control = self._control[rows]
        arrival: NDArray[np.int64] = control["seconds"] * 1_000_000_000
        arrival += control["nanos"]
        stamped = self._messages["controllen"][rows] >= _STAMPED
        if not stamped.all():
            # A socket of another make, or the kernel has only just been asked to
            # take the time of packets: that of reading is the best there is.
            arrival = np.where(stamped, arrival, self._nanoseconds())
        return arrival

    def batch(self) -> Batch:
        """
        @return: the facts about the packets in all slots in use.
        """
        rows = slice(0, self.used)
        wire = self._messages["length"][rows].astype(np.int64)
        size = self._messages["controllen"][rows]
        drops = None
        if len(size) and size.max() > _STAMPED:
            drops = np.where(size > _STAMPED, self._control["drops"][rows], 0).astype(np.int64)
        return Batch(self._arrivals(rows), np.minimum(wire, self._capacity), wire, drops)
