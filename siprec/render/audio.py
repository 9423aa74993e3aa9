"""
Write the audio file.

Packets are written at their places into one L{Track} per channel, in any order; then
the tracks are put side by side into the file.  A track is a file without a name, in
which time without audio takes no room; so memory is bounded however long a call was,
and a killed process leaves nothing behind but the unfinished file.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol
from uuid import uuid4

import numpy as np
import soundfile
from attrs import define, field, frozen
from numpy.typing import NDArray

__all__ = ["WAV_LIMIT", "AudioError", "Samples", "Track", "Window", "writeAudio"]

#: The lengths in a WAV file are of 32 bits; longer ones are RF64 (EBU Tech 3306).
WAV_LIMIT = (1 << 32) - 4096

_WIDTH = 2  # octets of a sample
_BLOCK = 1 << 18  # frames that are put together at once
_STALE = 3600.0  # seconds after which an unfinished file has nobody any more
_UNFINISHED = ".unfinished"


class AudioError(Exception):
    """
    The audio file could not be written.
    """


@define(eq=False, repr=False)
class Track:
    """
    The samples of one channel.

    @ivar frames: how many there are; what is written outside is dropped.
    """

    frames: int
    _file: Any = field(repr=False)

    @classmethod
    def create(cls, directory: str, frames: int) -> "Track":
        """
        @param directory: on a file system with room for it.
        @raise OSError: the file cannot be made.
        """
        file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 - closed by close()
        file.truncate(frames * _WIDTH)
        return cls(frames, file)

    def write(self, position: int, samples: NDArray[np.int16]) -> None:
        """
        Put samples at a place, over what is there.

        @raise OSError: the disk is full, for one.
        """
        first, last = max(-position, 0), min(self.frames - position, len(samples))
        if first < last:
            data = memoryview(samples[first:last].tobytes())
            offset = (position + first) * _WIDTH
            while data:
                count = os.pwrite(self._file.fileno(), data, offset)
                data, offset = data[count:], offset + count

    def read(self, position: int, count: int) -> NDArray[np.int16]:
        """
        @return: C{count} samples, zero where nothing was written.
        """
        raw = os.pread(self._file.fileno(), count * _WIDTH, position * _WIDTH)
        return np.frombuffer(raw, np.int16)

    def close(self) -> None:
        """
        Give the room back.
        """
        self._file.close()


class Samples(Protocol):
    """
    What a channel of a file is made of.
    """

    @property
    def frames(self) -> int:
        """
        How many samples there are.
        """

    def read(self, position: int, count: int) -> NDArray[np.int16]:
        """
        @return: C{count} samples.
        """


@frozen(eq=False)
class Window:
    """
    A part of a track.

    @ivar first: the track's first sample in it.
    @ivar frames: how many there are; none of them is beyond the track's end.
    """

    track: Track
    first: int
    frames: int

    def read(self, position: int, count: int) -> NDArray[np.int16]:
        """
        See L{Track.read}.
        """
        return self.track.read(self.first + position, count)


def writeAudio(
    directory: str, name: str, tracks: Sequence[Samples], rate: int, limit: int = WAV_LIMIT
) -> str:
    """
    Write a 16-bit WAV file with one channel per track; it appears under its name
    when it is whole and on the disk.

    @param tracks: one or more, of the same length.
    @param limit: octets of audio beyond which the file becomes RF64.
    @return: SHA-256 of the file, in hexadecimal.
    @raise AudioError: it could not be written; a file of that name that was there
        before still is.
    """
    path = os.path.join(directory, name)
    # Another process at the same recording must not write into the same file.
    temporary = os.path.join(directory, f".{name}.{os.getpid()}-{uuid4().hex}{_UNFINISHED}")
    try:
        _removeStale(directory, name)
        try:
            with open(temporary, "x+b") as file:
                _fill(file.fileno(), tracks, rate, limit)
                os.fsync(file.fileno())
                file.seek(0)
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.replace(temporary, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        _sync(directory)
    except (OSError, soundfile.SoundFileError) as error:
        raise AudioError(f"{path}: {error}") from error
    return digest


def _fill(descriptor: int, tracks: Sequence[Samples], rate: int, limit: int) -> None:
    frames = tracks[0].frames
    container = "RF64" if frames * len(tracks) * _WIDTH > limit else "WAV"
    with soundfile.SoundFile(
        descriptor, "w", rate, len(tracks), "PCM_16", format=container, closefd=False
    ) as sound:
        block = max(_BLOCK // len(tracks), 1)
        for position in range(0, frames, block):
            count = min(block, frames - position)
            together = np.empty((count, len(tracks)), np.int16)
            for channel, track in enumerate(tracks):
                together[:, channel] = track.read(position, count)
            sound.write(together)


def _removeStale(directory: str, name: str) -> None:
    """
    A process that was killed could not remove its unfinished file.
    """
    for entry in os.scandir(directory):
        if entry.name.startswith(f".{name}.") and entry.name.endswith(_UNFINISHED):
            with suppress(FileNotFoundError):
                if entry.stat().st_mtime < time.time() - _STALE:
                    os.unlink(entry.path)


def _sync(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
