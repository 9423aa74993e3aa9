"""
From the packets of a stream to sound, while they come: each is played at a fixed time
after it came, as far as its timestamp agrees with that.

This is to hear a call, not to keep it: what is late is left out, what is lost is
silence, and clocks that drift are set right by a jump.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from siprec.media.rtp import RTPTable
from siprec.render.codec import Payloads, Voice
from siprec.render.decode import PayloadFormat, formatsFor, unasked

__all__ = ["Player", "rateFor"]

_SECOND = 1_000_000_000

# How far a timestamp may be from the time at which its packet came, in seconds, before
# what is said by the timestamps is not believed any more.
_TRUST = 0.2

# Nobody sends faster, or slower; seconds that one packet may last.
_LONGEST = 1.0


def rateFor(streams: list[Mapping[str, Any]]) -> int:
    """
    @param streams: of the manifest.
    @return: samples a second in which nothing that was negotiated is lost.
    """
    rates = [
        each.decoder.sampleRate
        for stream in streams
        for each in formatsFor(stream.get("formats") or ()).values()
        if each.decoder is not None
    ]
    return max(rates, default=8000)


@define(eq=False, repr=False)
class _Source:
    """
    One SSRC and payload type.

    @ivar timestamp: extended, of the packet that the place is known of.
    @ivar place: in samples; below 0 too.
    @ivar last: extended sequence number of the last packet that was played.
    """

    form: PayloadFormat
    voice: Voice
    timestamp: int
    place: int
    last: int


@define(eq=False, repr=False)
class Player:
    """
    One stream.

    @ivar _zero: time of the first sample, nanoseconds since the epoch.
    @ivar _rate: samples a second that come out.
    @ivar _unknown: called once for each payload type that cannot be played.
    """

    _entry: Mapping[str, Any]
    _zero: int
    _rate: int
    _unknown: Callable[[int, str], None]
    _formats: dict[int, PayloadFormat] = field(init=False)
    _told: set[int] = field(factory=set, init=False)
    _waiting: list[tuple[int, RTPTable, int]] = field(factory=list, init=False)
    _sources: dict[tuple[int, int], _Source] = field(factory=dict, init=False)
    _samples: NDArray[np.int16] = field(init=False)
    _at: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._formats = formatsFor(self._entry.get("formats") or ())
        self._samples = np.zeros(0, np.int16)

    def learn(self, entry: Mapping[str, Any]) -> None:
        """
        The manifest says something else of the stream, perhaps other codecs.
        """
        if entry.get("formats") != self._entry.get("formats"):
            self._formats = formatsFor(entry.get("formats") or ())
        self._entry = entry

    def take(self, table: RTPTable) -> None:
        """
        Packets have come.
        """
        self._waiting += [(int(at), table, row) for row, at in enumerate(table.arrival)]

    def play(self, untilNs: int, count: int) -> NDArray[np.int16]:
        """
        @param untilNs: what came later waits, as what belongs before it may be to come.
        @param count: how many samples.
        @return: the next ones.
        """
        ripe = [each for each in self._waiting if each[0] <= untilNs]
        self._waiting = [each for each in self._waiting if each[0] > untilNs]
        # Of those that came within so short a time the order is that of the numbers.
        for arrival, table, row in _ordered(ripe):
            self._decode(arrival, table, row)
        self._grow(count)
        played, self._samples = self._samples[:count], self._samples[count:]
        self._at += count
        return played

    def _decode(self, arrival: int, table: RTPTable, row: int) -> None:
        kind = int(table.payloadType[row])
        form = self._formats.get(kind) or self._unasked(kind)
        if form is None or form.decoder is None:
            self._tell(kind, form)
            return
        begin, length = table.payloadStart[row : row + 1], table.payloadLength[row : row + 1]
        payloads = Payloads(table.data, begin, length)
        if form.decoder.samples(payloads)[0] > _LONGEST * form.decoder.sampleRate:
            return
        source = self._source(form, arrival, table, row)
        if source is None:
            return
        samples, _ = source.voice.decode(payloads, np.zeros(1, np.int64))
        self._put(source.place, _resampled(samples, form.decoder.sampleRate, self._rate))

    def _unasked(self, kind: int) -> PayloadFormat | None:
        found = unasked(kind)
        if found is not None:
            self._formats[kind] = found
        return found

    def _tell(self, kind: int, form: PayloadFormat | None) -> None:
        if kind not in self._told and (form is None or not form.known):
            self._told.add(kind)
            self._unknown(kind, "unknown" if form is None else form.codec)

    def _source(
        self, form: PayloadFormat, arrival: int, table: RTPTable, row: int
    ) -> _Source | None:
        """
        @return: where the packet comes from, with its place; C{None}: it was played, or
            comes too late to be.
        """
        assert form.decoder is not None, "it is only asked for what can be played"
        came = (arrival - self._zero) * self._rate // _SECOND
        key = int(table.ssrc[row]), form.payloadType
        sequence, timestamp = int(table.sequence[row]), int(table.timestamp[row])
        source = self._sources.get(key)
        if source is None:
            source = _Source(form, form.decoder.open(), timestamp, came, sequence)
            self._sources[key] = source
            return source
        step = _near(sequence - source.last, 16)
        if -1000 < step <= 0:
            return None
        ticks = _near(timestamp - source.timestamp, 32)
        place = source.place + ticks * self._rate // form.clockRate
        if abs(place - came) > _TRUST * self._rate:
            place = came
        source.last, source.timestamp, source.place = sequence, timestamp, place
        return source

    def _put(self, place: int, samples: NDArray[np.int16]) -> None:
        begin = place - self._at
        if begin < 0:
            samples, begin = samples[-begin:], 0
        self._grow(begin + len(samples))
        self._samples[begin : begin + len(samples)] = samples

    def _grow(self, size: int) -> None:
        if size > len(self._samples):
            more = np.zeros(size - len(self._samples), np.int16)
            self._samples = np.concatenate([self._samples, more])


def _ordered(packets: list[tuple[int, RTPTable, int]]) -> list[tuple[int, RTPTable, int]]:
    """
    @return: the packets, those of each source in the order of their sequence numbers, at
        the places where there were some of that source.
    """
    bySource: dict[int, list[tuple[int, tuple[int, RTPTable, int]]]] = {}
    for each in packets:
        _, table, row = each
        known = bySource.setdefault(int(table.ssrc[row]), [])
        number = int(table.sequence[row])
        if known:
            number = known[-1][0] + _near(number - known[-1][0], 16)
        known.append((number, each))
    turns = {ssrc: iter(sorted(found, key=lambda one: one[0])) for ssrc, found in bySource.items()}
    return [next(turns[int(table.ssrc[row])])[1] for _, table, row in packets]


def _near(difference: int, bits: int) -> int:
    """
    @return: a difference of two counters that wrap, as the smallest there is.
    """
    half = 1 << (bits - 1)
    return (difference + half) % (1 << bits) - half


def _resampled(samples: NDArray[np.int16], have: int, want: int) -> NDArray[np.int16]:
    if have == want or not len(samples):
        return samples
    places = np.linspace(0, len(samples), len(samples) * want // have, endpoint=False)
    found: NDArray[np.int16] = np.interp(places, np.arange(len(samples)), samples).astype(np.int16)
    return found
