"""
The files that are made of the channels of a recording.
"""

import os
from collections.abc import Hashable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np
from attrs import frozen

from siprec.render.audio import Samples, Track, writeAudio, writeWhole
from siprec.render.decode import G711
from siprec.render.form import FORMATS, Form
from siprec.render.lawfile import Linear, fillLaw
from siprec.render.mixdown import mixdown
from siprec.render.peaks import fillPeaks
from siprec.render.resample import addResampled
from siprec.render.stream import Stream

__all__ = ["Outputs", "channelOf", "commonLaw", "namesOf"]


def commonLaw(streams: Sequence[Stream]) -> G711 | None:
    """
    @return: the law of G.711 that all audio is of; C{None} if something is not.
    """
    found = {decoder for stream in streams for decoder in stream.decoders}
    law = found.pop() if len(found) == 1 else None
    return law if isinstance(law, G711) else None


def channelOf(
    stream: Stream, directory: str, zero: int, frames: int, rate: int, codes: bool, held: ExitStack
) -> Track:
    """
    @param zero: the place where the audio begins.
    @param frames: how long it is.
    @param rate: of the channel, samples a second.
    @param codes: see L{Stream.mix}.
    @param held: gives back what was taken here.
    @return: the channel of a stream.
    @raise OSError: it cannot be written.
    """
    track = Track.create(directory, frames, np.uint8 if codes else np.int16)
    held.callback(track.close)
    rates = {decoder.sampleRate for decoder in stream.decoders}
    if rate in rates:
        stream.mix(track, zero, codes=codes)
    for other in sorted(rates - {rate}):
        with ExitStack() as narrow:
            source = Track.create(directory, -(-frames * other // rate))
            narrow.callback(source.close)
            stream.mix(source, zero * other // rate, other)
            addResampled(source, other, track, rate)
    return track


@frozen(eq=False)
class Outputs:
    """
    Writes files for the whole of a recording, or for a part of it.

    @ivar form: what they are to be.
    @ivar rate: samples a second of all channels.
    @ivar law: what the channels consist of, if not of linear samples.
    @ivar streams: the numbers of the streams that the channels belong to.
    @ivar owners: the participant of each; those who are not known are several.
    """

    directory: str
    form: Form
    rate: int
    law: G711 | None
    streams: tuple[int, ...]
    owners: tuple[Hashable, ...]

    def write(self, stem: str, channels: Sequence[Samples]) -> dict[str, Any]:
        """
        @param stem: what names begin with.
        @param channels: one or more, of the same length.
        @return: C{audio} of the manifest, as far as it is about files.
        @raise AudioError: they cannot be written.
        """
        linear = [Linear(each, self.law) for each in channels] if self.law else list(channels)
        if self.form.layout == "mixed":
            linear = channels = [mixdown(linear, self.owners)]
        # Of no sample at all only WAV makes a file that can be read.
        format = self.form.format if channels[0].frames else "wav"
        if format == "g711" and self.law is None:
            format = "wav"
        container = FORMATS[format]
        layout = self.form.layout
        if layout == "channels" and len(channels) > container.channels:
            layout = "streams"
        written: dict[str, Any] = {"format": format, "layout": layout}
        if layout == "streams" and self.streams:
            files = [
                {"stream": index, **self._file(f"{stem}.{index}", format, [channel])}
                for index, channel in zip(self.streams, channels, strict=True)
            ]
            written = {**files[0], **written, "files": files}
            del written["stream"]
        else:
            written = {**self._file(stem, format, channels), **written}
        if self.form.peaks:
            written["peaks"] = f"{stem}.peaks.json"
            fill = partial(fillPeaks, tracks=linear, rate=self.rate)
            writeWhole(self.directory, written["peaks"], fill)
        return written

    def _file(self, stem: str, format: str, channels: Sequence[Samples]) -> dict[str, Any]:
        container = FORMATS[format]
        name = f"{stem}.{container.extension}"
        if format == "g711" and self.law is not None:
            encoding = self.law.name
            fill = partial(fillLaw, tracks=channels, law=self.law)
            digest = writeWhole(self.directory, name, fill)
        else:
            encoding = container.minor
            if self.law:
                channels = [Linear(each, self.law) for each in channels]
            digest = writeAudio(self.directory, name, channels, self.rate, container=container)
        return {
            "file": name,
            "sampleRate": self.rate,
            "channels": len(channels),
            "sha256": digest,
            "encoding": encoding,
        }


def namesOf(audio: dict[str, Any] | None) -> set[str]:
    """
    @param audio: of a manifest.
    @return: the names of all files in it.
    """
    found: set[str] = set()
    for each in (audio, *((audio or {}).get("parts") or ())):
        if each:
            found |= {each["file"], *(one["file"] for one in each.get("files") or ())}
            found |= {each["peaks"]} if each.get("peaks") else set()
    # What is in a manifest may have come from another machine.
    return {name for name in found if os.path.basename(name) == name}
