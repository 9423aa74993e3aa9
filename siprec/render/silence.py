"""
The rendering of a recording in which no packet came (CONFORMANCE J7), without looking
for one.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from siprec.render.form import FORMATS, Form
from siprec.render.wav import wavHeader
from siprec.session.interfaces import Silence
from siprec.session.manifest import UNRENDERED
from siprec.session.times import formatTime, parseTime

__all__ = ["silence"]

_RATE = 8000  # of a file in which nothing was decoded


def silence(manifest: Mapping[str, Any], form: Form) -> Silence | None:
    """
    @param manifest: of a recording that lists no journal and has none.
    @param form: what the audio is to look like.
    @return: what L{siprec.render.recording.renderDirectory} would give, and the file
        that it would write: of length 0; C{None}: it has to be asked.
    """
    streams = sorted(manifest["streams"], key=_channel)
    channels = max(len(streams), 1)
    wav = FORMATS["wav"]
    if form.layout != "channels" or form.peaks or channels > wav.channels:
        return None
    name, (data, digest) = f"audio.{wav.extension}", _emptyWAV(channels)
    audio = {
        "file": name,
        "sampleRate": _RATE,
        "channels": channels,
        "sha256": digest,
        "encoding": wav.minor,
        "format": "wav",
        "layout": "channels",
        "startTime": formatTime(parseTime(manifest["startTime"])),
        "duration": 0.0,
    }
    rendering = {
        "duration": 0.0,
        "streams": [_described(each) for each in streams],
        "gaps": [],
        "events": [],
        "missing": [],
        "audio": audio,
    }
    return Silence(rendering, {name: data})


def _channel(entry: Mapping[str, Any]) -> tuple[int, int]:
    channel = entry.get("channel")
    return (int(entry["index"]) if channel is None else int(channel)), int(entry["index"])


def _described(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "index": entry["index"],
        "codec": entry.get("codec"),
        "payloadType": entry.get("payloadType"),
        "clockRate": entry.get("clockRate"),
        "ssrcs": [],
        **UNRENDERED,
    }


@lru_cache(maxsize=64)
def _emptyWAV(channels: int) -> tuple[bytes, str]:
    """
    @return: a WAV file without samples, and its SHA-256.
    """
    data = wavHeader(0, channels, _RATE)
    return data, hashlib.sha256(data).hexdigest()
