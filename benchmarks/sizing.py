"""
How much hardware a call takes, from what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from benchmarks.figures import Report
from benchmarks.tables import number

__all__ = ["CODECS", "Codec", "sizingRows"]

STREAMS = 2
PACKETS = 50  # a second and stream

#: Seconds of a call that sizes are for.
DURATION = 180.0

_DUMP = 8  # of rtpdump, before each packet
_RTP = 12
_BELOW = 20 + 8 + 18  # IP, UDP, and Ethernet with its checksum


@frozen
class Codec:
    """
    @ivar octets: of a payload of 20 ms.
    @ivar rate: samples a second of the audio file.
    @ivar figure: of the part that renders.
    """

    name: str
    octets: int
    rate: int
    figure: str


CODECS = (
    Codec("G.711", 160, 8000, "render.pcmu"),
    Codec("G.729", 20, 8000, "render.g729"),
    Codec("Opus, 32 kbit/s", 80, 48_000, "render.opus"),
)


def journalRate(codec: Codec) -> float:
    """
    @return: bytes of the journals for a second of a call.
    """
    return float(STREAMS * PACKETS * (_DUMP + _RTP + codec.octets))


def audioRate(codec: Codec) -> float:
    """
    @return: bytes of the audio file, WAV of 16 bits, for a second of a call.
    """
    return float(STREAMS * 2 * codec.rate)


def wireRate(codec: Codec) -> float:
    """
    @return: kbit a second on the wire for a call.
    """
    return STREAMS * PACKETS * 8 * (_BELOW + _RTP + codec.octets) / 1000


def sizingRows(report: Report) -> Sequence[Sequence[str]]:
    """
    @return: for each codec, what a call takes, the names of the columns first; empty where
        it was not measured.
    """
    rows = [
        (
            *("codec", "calls a core", "with rendering", "memory, kB", "journals, MB an hour"),
            *("audio, MB an hour", "network, kbit/s", "store scripts a call"),
        )
    ]
    scripts = report.value("signalling.redis.scripts")
    memory = _first(report, "idle.1000.media.memory", "idle.200.media.memory")
    rows += [
        (
            *(codec.name, number(_whole(callsOfCore(report, codec, False)))),
            *(number(_whole(callsOfCore(report, codec, True))), number(memory)),
            *(number(journalRate(codec) * 3.6e-3), number(audioRate(codec) * 3.6e-3)),
            *(number(wireRate(codec)), number(scripts)),
        )
        for codec in CODECS
    ]
    return rows


def callsOfCore(report: Report, codec: Codec, isRendered: bool) -> float | None:
    """
    @param isRendered: the same core makes the audio files, too.
    @return: how many calls a core can have at a time, half of it being left free, where each
        lasts L{DURATION}; C{None} where a figure for it is missing.
    """
    media = _first(report, "idle.1000.media.call", "idle.200.media.call")
    call = _first(report, "signalling.redis.cpu", "signalling.memory.cpu")
    rendered = report.value(codec.figure)
    if media is None or call is None or (isRendered and rendered is None):
        return None
    cost = media * 1e-6 + call * 1e-3 / DURATION
    if isRendered and rendered is not None:
        cost += 1 / rendered
    return 0.5 / cost


def _first(report: Report, *names: str) -> float | None:
    values = (report.value(name) for name in names)
    return next((each for each in values if each is not None), None)


def _whole(value: float | None) -> float | None:
    return None if value is None else float(int(value))
