"""
SRTP as a stream is received (RFC 3711): which of the peer's master keys a packet was
protected with, and how often its sequence number has wrapped.

That number, the rollover counter, is in no packet.  It begins at 0 with each source, so
who listens from the beginning knows it.  Who takes a stream over knows it as it was when
it was last stored; the packets tell the rest, since only with the right one the
authentication tag is right.
"""

import struct
import time
from collections.abc import Callable, Mapping, Sequence

from attrs import define, field

from siprec.media.keys import SUITES, MasterKey
from siprec.media.libsrtp import OLD, REPLAYED, WINDOW, CryptoSession

__all__ = ["MOST_WRAPS", "Protection", "isControl"]

#: The most values of a rollover counter that one packet is tried with: 23 hours of 50
#: packets a second.
MOST_WRAPS = 64

# So many packets of one visit are tried with other counters: an attacker can make up
# packets that none fits.
_SEARCHES = 4

# Sources whose counters are told; more than any stream has.  The first are forgotten.
_MOST_SOURCES = 64

# Sequence numbers from one made-up packet to the next: less than half of all, so that
# a wrap is noticed.
_STEP = 0x7000

# So far before the packet that is looked for is the last one made up: further than any
# real one can come late.
_BEFORE = 2 * WINDOW

_SOURCE = struct.Struct(">HII")  # after the first two octets
_MADE_UP = struct.Struct(">BBHII")


def isControl(second: int) -> bool:
    """
    @param second: the second octet of a packet at the RTP port.
    @return: whether it is RTCP (RFC 5761 section 4).
    """
    return 192 <= second <= 223


@define(eq=False, repr=False)
class _Context:
    """
    What there is of one master key.

    @ivar opened: the sources whose packets it has opened.
    """

    key: MasterKey
    session: CryptoSession = field(init=False)
    opened: set[int] = field(factory=set, init=False)

    @session.default
    def _makeSession(self) -> CryptoSession:
        return self.fresh()

    def fresh(self, inbound: bool = True) -> CryptoSession:
        """
        @return: a session that has seen no packet.
        """
        return CryptoSession(self.key.suite, self.key.key, inbound)

    def stripped(self, packet: bytes, control: bool) -> bytes | None:
        """
        @return: the packet without its MKI; C{None} if that is another key's.
        """
        mki, suite = self.key.mki, SUITES[self.key.suite]
        if not mki:
            return packet
        # With AEAD it comes last; else before the tag, which SRTCP never shortens.
        behind = 0 if suite.sealed else (10 if control else suite.tagOctets)
        end = len(packet) - behind
        if packet[max(end - len(mki), 0) : end] != mki:
            return None
        return packet[: end - len(mki)] + packet[end:]


@define(eq=False, repr=False)
class Protection:
    """
    The keys of one stream, and what has come under them.  All but L{change} and
    L{indexes} is for the capture thread alone.

    @ivar unauthenticated: packets that no key of the peer's opens.
    @ivar replayed: packets that had come before, or came too late to tell.
    @ivar _wraps: how often the sequence numbers of a source may have wrapped unseen.
    """

    _wanted: tuple[MasterKey, ...]
    _indexes: dict[int, int] = field(factory=dict)
    _wraps: int = 0
    _now: Callable[[], float] = time.time
    unauthenticated: int = field(default=0, init=False)
    replayed: int = field(default=0, init=False)
    _keys: tuple[MasterKey, ...] = field(default=(), init=False)
    _contexts: list[_Context] = field(factory=list, init=False)
    _until: float = field(default=0.0, init=False)
    _searches: int = field(default=0, init=False)

    def change(self, keys: Sequence[MasterKey]) -> None:
        """
        @param keys: all that may be used from now on, the newest first.  What is known
            of those that were there before stays known.
        """
        self._wanted = tuple(keys)

    def indexes(self) -> Mapping[int, int]:
        """
        @return: the index of the last packet of each source: its sequence number, and
            above that how often it has wrapped.
        """
        return self._indexes.copy()

    def continued(self) -> "Protection":
        """
        @return: the same with its own counts, for another capture; this one has ended.
        """
        other = Protection(self._wanted, self._indexes.copy(), self._wraps, self._now)
        other._keys, other._contexts, other._until = self._keys, self._contexts, self._until
        return other

    def begin(self) -> bool:
        """
        A batch begins: take up other keys, and forget those whose time is over.

        @return: whether a packet that does not open may be one of another key or
            another counter, so that L{open} is worth trying with its octets.
        """
        self._searches = _SEARCHES
        if self._wanted is not self._keys or (self._until and self._now() >= self._until):
            self._rebuild()
        return self._wraps > 0 or len(self._contexts) > 1

    def _rebuild(self) -> None:
        now, self._keys = self._now(), self._wanted
        keys = [each for each in self._keys if each.until is None or each.until > now]
        contexts = []
        for key in keys:
            same = [each for each in self._contexts if each.key.sameAs(key)]
            contexts.append(same[0] if same else _Context(key))
        self._contexts = contexts
        self._until = min((each.until for each in keys if each.until is not None), default=0.0)

    @property
    def quick(self) -> bool:
        """
        Whether L{openAll} is of use.
        """
        return bool(self._contexts) and not self._contexts[0].key.mki

    def openAll(self, addresses: Sequence[int], lengths: Sequence[int]) -> list[int]:
        """
        Open RTP packets where they lie, with the newest key; see
        L{CryptoSession.openAll}.
        """
        return self._contexts[0].session.openAll(addresses, lengths)

    def note(self, head: bytes) -> None:
        """
        @param head: the first 12 octets of a packet that L{openAll} has opened, the last
            of its batch.
        """
        self._note(self._contexts[0], *self._source(head))

    def reject(self, status: int) -> None:
        """
        Count a packet that L{openAll} has not opened, and that is not tried again.
        """
        if status in (REPLAYED, OLD):
            self.replayed += 1
        else:
            self.unauthenticated += 1

    def open(self, packet: bytes, control: bool = False) -> bytes | None:
        """
        Open one packet with whatever key and counter fits.

        @param control: it is RTCP.
        @return: the packet in the clear; C{None}: it is counted, and not to be kept.
        """
        for context in self._contexts:
            data = context.stripped(packet, control)
            if data is None:
                continue
            status, clear = context.session.open(data, control)
            if not status:
                if not control:
                    self._note(context, *self._source(packet))
                return clear
            if status in (REPLAYED, OLD):
                self.replayed += 1
                return None
        found = None if control or len(packet) < 12 else self._search(packet)
        if found is None:
            self.unauthenticated += 1
        return found

    def _source(self, packet: bytes) -> tuple[int, int]:
        sequence, _, ssrc = _SOURCE.unpack_from(packet, 2)
        return ssrc, sequence

    def _note(self, context: _Context, ssrc: int, sequence: int) -> None:
        last = self._indexes.get(ssrc)
        if last is None or ssrc not in context.opened:
            # The library has begun at 0, too.
            self._set(context, ssrc, sequence)
            return
        step = ((sequence - last + 0x8000) & 0xFFFF) - 0x8000
        if step > 0:
            self._indexes[ssrc] = last + step

    def _set(self, context: _Context, ssrc: int, index: int) -> None:
        context.opened.add(ssrc)
        if ssrc not in self._indexes and len(self._indexes) >= _MOST_SOURCES:
            del self._indexes[next(iter(self._indexes))]
        self._indexes[ssrc] = index

    def _search(self, packet: bytes) -> bytes | None:
        """
        Try a packet of a source that is not open yet with other counters than 0.

        @return: the packet in the clear; C{None}: no counter fits.
        """
        ssrc, sequence = self._source(packet)
        known = self._indexes.get(ssrc)
        if not self._searches or (known is None and not self._wraps):
            return None
        self._searches -= 1
        first = 0 if known is None else known >> 16
        # With 0 it has been tried already.
        counters = range(max(first, 1), first + max(self._wraps, 1) + 1)
        for context in self._contexts:
            data = None if ssrc in context.opened else context.stripped(packet, False)
            counter = None if data is None else _counterOf(context, data, counters)
            if data is not None and counter is not None:
                self._set(context, ssrc, counter << 16 | sequence)
                _lead(context, context.session, ssrc, _path(0, counter << 16 | sequence))
                return context.session.open(data)[1] or None
        return None


def _path(begin: int, end: int) -> Sequence[int]:
    """
    @return: packet indexes from which on C{end}, which is above C{_BEFORE}, is expected.
    """
    return (*range(begin, end - _BEFORE, _STEP), end - _BEFORE)


def _lead(
    context: _Context,
    session: CryptoSession,
    ssrc: int,
    path: Sequence[int],
    sender: CryptoSession | None = None,
) -> None:
    """
    Have C{session} open packets of our own making, so that it counts on from there.

    @param sender: what protects them; C{None}: one that has not protected any.
    """
    sender = sender or context.fresh(inbound=False)
    for index in path:
        session.open(sender.protect(_MADE_UP.pack(0x80, 0, index & 0xFFFF, 0, ssrc)))


def _counterOf(context: _Context, packet: bytes, counters: range) -> int | None:
    """
    @return: the first of C{counters} with which the packet can be opened.
    """
    sequence, _, ssrc = _SOURCE.unpack_from(packet, 2)
    session, sender = context.fresh(), context.fresh(inbound=False)
    begin = 0
    for counter in counters:
        path = _path(begin, counter << 16 | sequence)
        _lead(context, session, ssrc, path, sender)
        if not session.open(packet)[0]:
            return counter
        begin = path[-1] + _STEP
    return None
