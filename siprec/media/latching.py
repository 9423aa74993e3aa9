"""
Who sends on a stream: nobody else's packets are recorded.

The description says an address, but it is often not the one that packets come from:
there are address translators, session border controllers whose media leaves by another
interface, and pairs of them that take over from one another.  So unless only the
description counts, a stream learns who sends (it I{latches}).
"""

from collections.abc import Iterable
from itertools import chain

from attrs import define, field, frozen

from siprec.media.batch import Held
from siprec.media.origin import WAITING, Expected, Key, hostOf, keyOf
from siprec.media.reception import MAX_DROPOUT
from siprec.media.srtp import isControl

__all__ = ["SILENCE", "Heard", "Latch", "News", "isMedia"]

#: Packets in order by which somebody is believed to send a stream.
_ENOUGH = 3
#: How far apart the sequence numbers of these may be.
_NEAR = 100

#: In nanoseconds: how long whom the description names may be silent while another sends,
#: and how long who was heard must be.
PATIENCE, SILENCE = 1_000_000_000, 2_000_000_000

# Of one stream: addresses that are waited with, their packets, and addresses told of.
_MOST_CANDIDATES, _MOST_HELD, _MOST_CONTROL, _MOST_TOLD = 4, 256, 8, 8

_HEAD = 12  # octets of the fixed header of RTP

#: What happened, C{"stranger"} or C{"latched"}, and the address.
News = tuple[str, str]


def isMedia(data: bytes) -> bool:
    """
    @return: whether this is RTP, by its header, and not RTCP at the same port.
    """
    return len(data) >= _HEAD and data[0] >> 6 == 2 and not isControl(data[1])


@frozen
class Heard:
    """
    The last that was heard from the address that a stream is locked to.

    @ivar arrival: of RTP, in nanoseconds since the epoch; 0: there was none.
    @ivar ssrc: below 0: not known.
    @ivar highest: sequence number.
    """

    arrival: int = 0
    ssrc: int = -1
    highest: int = 0

    def goesOn(self, data: bytes) -> bool:
        """
        @return: whether this is a later packet of the same source.
        """
        ahead = (_sequence(data) - self.highest) & 0xFFFF
        return isMedia(data) and _ssrc(data) == self.ssrc and 0 < ahead < MAX_DROPOUT


_SILENT = Heard()


def _ssrc(data: bytes) -> int:
    return int.from_bytes(data[8:12], "big")


def _sequence(data: bytes) -> int:
    return int.from_bytes(data[2:4], "big")


@define(eq=False, repr=False)
class _Candidate:
    """
    Somebody who may turn out to be the sender.

    @ivar valid: packets in order.
    @ivar since: when the first of them came, in nanoseconds since the epoch.
    """

    held: list[Held] = field(factory=list)
    control: list[Held] = field(factory=list)
    valid: int = 0
    since: int = 0
    _source: int = -1
    _sequence: int = 0

    def take(self, packet: Held) -> int:
        """
        @return: how many packets are not held any more.
        """
        dropped = 0
        if isMedia(packet.data):
            dropped = self._follow(_ssrc(packet.data), _sequence(packet.data), packet.arrival)
        self.held.append(packet)
        if len(self.held) > _MOST_HELD:
            del self.held[0]
            dropped += 1
        return dropped

    def _follow(self, source: int, sequence: int, arrival: int) -> int:
        ahead = (sequence - self._sequence) & 0xFFFF
        dropped = 0
        if source == self._source and ahead < _NEAR:
            self.valid += ahead > 0  # not one that comes once more
        elif source == self._source and ahead > 0x10000 - _NEAR:
            return 0  # a late one
        elif self.valid < _ENOUGH:
            dropped, self.held, self.valid, self.since = len(self.held), [], 1, arrival
        self._source, self._sequence = source, sequence
        return dropped

    def dropBefore(self, arrival: int) -> int:
        """
        @return: how many packets there were.
        """
        before = len(self.held)
        self.held = [each for each in self.held if each.arrival > arrival]
        if not self.held:
            self.valid = 0
        return before - len(self.held)

    def __len__(self) -> int:
        return len(self.held) + len(self.control)


@define(eq=False, repr=False)
class Latch:
    """
    What is known of who sends on one stream.

    @ivar current: whose packets are taken; C{None}: nobody's yet.
    @ivar strangers: packets that were not, of RTP and RTCP.
    @ivar won: packets that were held and are to be taken, in order of arrival; whoever
        takes them empties it.
    @ivar wonControl: the same of RTCP.
    @ivar news: what is to be told; likewise.
    """

    _family: int
    expected: Expected = WAITING
    current: Key | None = None
    strangers: int = 0
    won: list[Held] = field(factory=list, init=False)
    wonControl: list[Held] = field(factory=list, init=False)
    news: list[News] = field(factory=list, init=False)
    _described: Key | None = field(default=None, init=False)
    _reporting: Key | None = field(default=None, init=False)
    _since: int = field(default=0, init=False)
    _candidates: dict[Key, _Candidate] = field(factory=dict, init=False)
    _told: set[Key] = field(factory=set, init=False)

    @property
    def open(self) -> bool:
        """
        Whether everybody's packets are taken.
        """
        return self.expected.how == "any"

    def expect(self, expected: Expected, now: int) -> None:
        """
        This holds from now on, and what was learnt before only until it turns out
        otherwise.

        @param now: nanoseconds since the epoch.
        """
        before, self.expected = self.expected, expected
        self._described = described = keyOf(expected.host, self._family)
        # The null address of a call on hold, and one that has proved right, are no reason
        # to look for another.
        if expected.host and described != self.current:
            self._since = now
        if expected == before:
            return
        self._reporting = keyOf(expected.control, self._family)
        # Who sent before may go on until the new address does (RFC 3264 section 8.3.1).
        if self.current is None or (expected.how == "sdp" and described is None):
            self.current = described
        if self.open:
            self.releaseAll()
            return
        for key in (described, self._reporting):
            found = None if key is None else self._candidates.get(key)
            if found is not None:
                self.wonControl += found.control
                found.control = []
        if described is not None and self._hasSent(described):
            self._latch(described)
        elif expected.how == "sdp":
            self.forget()
        elif expected.how == "latch" and self.current is None:
            self.decide()

    def take(self, key: Key, packet: Held, heard: Heard) -> None:
        """
        A packet has come at the RTP port, not from L{current}, but perhaps from who has
        become that with the packet before.
        """
        if key == self.current and self.won:
            self.won.append(packet)
            return
        locked = self._locked(heard) and key != self._described
        if not self._possible(key) or (locked and not heard.goesOn(packet.data)):
            self.refuse(key)
            return
        candidate = self._candidate(key)
        if locked:
            # Two at a time with the same numbers: the one that was there before.
            self.refuse(key, candidate.dropBefore(heard.arrival))
        self.refuse(key, candidate.take(packet))
        if self.expected.how == "wait" or candidate.valid < _ENOUGH:
            return
        since = 0
        if locked:
            since = heard.arrival + SILENCE
        elif self.current is not None and key != self._described:
            since = candidate.since + PATIENCE
        if packet.arrival >= since:
            self._latch(key)

    def _possible(self, key: Key) -> bool:
        return self.expected.how != "sdp" or key == self._described

    def hopeless(self, key: Key, ssrc: int, heard: Heard) -> bool:
        """
        @param ssrc: where a packet has it.
        @return: whether L{take} would refuse the packet, whatever else is in it.
        """
        locked = self._locked(heard) and key != self._described
        return not self._possible(key) or (locked and ssrc != heard.ssrc)

    def knows(self, key: Key) -> bool:
        """
        @return: whether reports on the stream may come from there.
        """
        known = self.current, self._described, self._reporting
        return self.expected.how != "wait" and key in known

    def takeControl(self, key: Key, packet: Held, heard: Heard) -> bool:
        """
        A packet has come at the RTCP port.

        @return: whether it is taken; else it may be held.
        """
        if self.knows(key):
            return True
        if self.expected.how != "sdp" and not self._locked(heard):
            candidate = self._candidate(key)
            if len(candidate.control) < _MOST_CONTROL:
                candidate.control.append(packet)
                return False
        self.refuse(key)
        return False

    def decide(self, heard: Heard = _SILENT) -> None:
        """
        Take the packets of the most likely sender; nothing more is waited for.
        """
        for key, candidate in self._candidates.items():
            if self._locked(heard) and key != self._described:
                self.refuse(key, candidate.dropBefore(heard.arrival))
        valid = {key: each.valid for key, each in self._candidates.items()}
        best = max(valid, key=lambda key: valid[key], default=None)
        if best is not None and valid[best] >= _ENOUGH:
            self._latch(best)

    def finish(self, heard: Heard = _SILENT) -> None:
        """
        L{decide}, as nothing more will come: where nobody else has sent anything, even one
        packet is enough.
        """
        self.decide(heard)
        senders = [key for key, each in self._candidates.items() if each.valid]
        if len(senders) == 1 and self._possible(senders[0]) and not self._locked(heard):
            self._latch(senders[0])

    def forget(self) -> None:
        """
        Whoever may have turned out to be the sender: what is held of them is not taken.
        """
        for key, candidate in self._candidates.items():
            self.refuse(key, len(candidate))
        self._candidates.clear()

    def refuse(self, key: Key, count: int = 1) -> None:
        """
        So many packets from there are not taken.
        """
        if not count:
            return
        self.strangers += count
        if key not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(key)
            self.news.append(("stranger", hostOf(key)))

    def releaseAll(self) -> None:
        """
        Take all packets that are held.
        """
        found = self._candidates.values()
        self._win(chain.from_iterable(each.held for each in found))
        self.wonControl += chain.from_iterable(each.control for each in found)
        self._candidates.clear()

    def _locked(self, heard: Heard) -> bool:
        return self.current is not None and heard.arrival > self._since

    def _hasSent(self, key: Key) -> bool:
        return key in self._candidates and self._candidates[key].valid > 0

    def _latch(self, key: Key) -> None:
        if key != self._described or self.current != key:
            self.news.append(("latched", hostOf(key)))
        self.current = key
        self._release(key)

    def _release(self, key: Key) -> None:
        found = self._candidates.pop(key)
        self._win(found.held)
        self.wonControl += found.control
        self.forget()

    def _win(self, packets: Iterable[Held]) -> None:
        self.won = sorted([*self.won, *packets], key=lambda each: each.arrival)

    def _candidate(self, key: Key) -> _Candidate:
        found = self._candidates.get(key)
        if found is None:
            if len(self._candidates) >= _MOST_CANDIDATES:
                least = min(self._candidates, key=lambda each: self._candidates[each].valid)
                self.refuse(least, len(self._candidates.pop(least)))
            found = self._candidates[key] = _Candidate()
        return found
