"""
What the finished audio is to look like.
"""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

__all__ = ["FORMATS", "LAYOUTS", "PLAIN", "Container", "Form"]


@frozen
class Container:
    """
    A kind of audio file.

    @ivar extension: of its name.
    @ivar channels: how many it can have.
    @ivar rates: samples a second that it can have, in order; empty: any.
    @ivar major: libsndfile's name of the format; C{minor} of what is in it.
    """

    extension: str
    major: str
    minor: str
    channels: int = 1024
    rates: tuple[int, ...] = ()

    def rate(self, least: int) -> int:
        """
        @return: the lowest rate that loses nothing of one of C{least}, or the highest.
        """
        fitting = [each for each in self.rates if each >= least]
        return least if not self.rates else min(fitting, default=self.rates[-1])


_LAYER_3 = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)

#: By the name in the settings.
FORMATS: Mapping[str, Container] = {
    "wav": Container("wav", "WAV", "PCM_16"),
    "g711": Container("wav", "WAV", "PCM_16"),  # what cannot be kept as G.711 is this
    "flac": Container("flac", "FLAC", "PCM_16", channels=8),
    "opus": Container("ogg", "OGG", "OPUS", 255, (8000, 12000, 16000, 24000, 48000)),
    "mp3": Container("mp3", "MP3", "MPEG_LAYER_III", 2, _LAYER_3),
}

#: One file with a channel for each stream; a file for each; all in one channel.
LAYOUTS = ("channels", "streams", "mixed")


@frozen
class Form:
    """
    @ivar format: one of L{FORMATS}.
    @ivar layout: one of L{LAYOUTS}.
    @ivar peaks: whether there is a file to draw the waveform from.
    """

    format: str = "wav"
    layout: str = "channels"
    peaks: bool = False

    @property
    def container(self) -> Container:
        """
        What C{format} stands for.
        """
        return FORMATS[self.format]

    @property
    def keepsCodes(self) -> bool:
        """
        Whether G.711 is to stay as it came.
        """
        return self.format == "g711" and self.layout != "mixed"

    def asked(self) -> dict[str, object]:
        """
        @return: plain values, of which L{read} makes the same.
        """
        return {"format": self.format, "layout": self.layout, "peaks": self.peaks}

    @classmethod
    def read(cls, asked: Mapping[str, Any]) -> "Form":
        """
        @param asked: as L{asked} gives it; what is missing is as in L{PLAIN}.
        @raise ValueError: there is no such format, or layout.
        """
        format, layout = asked.get("format", "wav"), asked.get("layout", "channels")
        if format not in FORMATS:
            raise ValueError(f"cannot write {format!r}: the formats are {', '.join(FORMATS)}")
        if layout not in LAYOUTS:
            raise ValueError(f"no layout {layout!r}: the layouts are {', '.join(LAYOUTS)}")
        return cls(format, layout, bool(asked.get("peaks", False)))

    @classmethod
    def of(cls, audio: Mapping[str, Any] | None) -> "Form":
        """
        @param audio: C{audio} of a manifest.
        @return: the form that it has.
        @raise ValueError: as L{read}.
        """
        return cls.read({**audio, "peaks": bool(audio.get("peaks"))}) if audio else PLAIN


#: The usual one: a WAV file with a channel for each stream.
PLAIN = Form()
