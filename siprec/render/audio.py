"""
Write audio files.

Packets are written at their places into one L{Track} per channel, in any order; then
the tracks are put side by side into the file.  A track that is not short is a file without
a name, in which time without audio takes no room; so memory is bounded however long a call was,
and a killed process leaves nothing behind but the unfinished file.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, BinaryIO, Protocol
from uuid import uuid4

import numpy as np
import soundfile
from attrs import define, field, frozen
from numpy.typing import DTypeLike, NDArray

from siprec.render.form import FORMATS, Container
from siprec.render.wav import wavHeader

__all__ = [
    "SHORT",
    "WAV_LIMIT",
    "AudioError",
    "Samples",
    "Track",
    "Window",
    "blocks",
    "writeAudio",
    "writeWhole",
]

#: The lengths in a WAV file are of 32 bits; longer ones are RF64 (EBU Tech 3306).
WAV_LIMIT = (1 << 32) - 4096

#: Octets up to which a track is kept in memory: a minute at 8 kHz, or two of G.711 as it came.
SHORT = 1 << 20

_BLOCK = 1 << 18  # frames that are put together at once
_ROOM = 1 << 20  # octets without which a disk is full
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
    @ivar kind: of a sample: C{int16}, or C{uint8} for octets of a codec.
    """

    frames: int
    _file: Any = field(repr=False)
    kind: np.dtype[Any] = field(factory=lambda: np.dtype(np.int16))
    # All of a short one, which then has no file.
    _samples: NDArray[Any] | None = None

    @classmethod
    def create(cls, directory: str, frames: int, kind: DTypeLike = np.int16) -> "Track":
        """
        @param directory: on a file system with room for it.
        @raise OSError: the file cannot be made.
        """
        width = np.dtype(kind).itemsize
        if frames * width <= SHORT:
            return cls(frames, None, np.dtype(kind), np.zeros(frames, kind))
        file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 - closed by close()
        file.truncate(frames * width)
        return cls(frames, file, np.dtype(kind))

    @property
    def width(self) -> int:
        """
        Octets of a sample.
        """
        return self.kind.itemsize

    def write(self, position: int, samples: NDArray[Any]) -> None:
        """
        Put samples at a place, over what is there.

        @raise OSError: the disk is full, for one.
        """
        first, last = max(-position, 0), min(self.frames - position, len(samples))
        if first >= last:
            return
        if self._samples is not None:
            self._samples[position + first : position + last] = samples[first:last]
            return
        data = memoryview(samples[first:last].tobytes())
        offset = (position + first) * self.width
        while data:
            count = os.pwrite(self._file.fileno(), data, offset)
            data, offset = data[count:], offset + count

    def read(self, position: int, count: int) -> NDArray[Any]:
        """
        @return: C{count} samples, zero where nothing was written; they are not to be changed.
        """
        if self._samples is not None:
            return self._samples[position : position + count]
        raw = os.pread(self._file.fileno(), count * self.width, position * self.width)
        return np.frombuffer(raw, self.kind)

    def close(self) -> None:
        """
        Give the room back.
        """
        self._samples = None
        if self._file is not None:
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

    def read(self, position: int, count: int) -> NDArray[Any]:
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

    track: Samples
    first: int
    frames: int

    def read(self, position: int, count: int) -> NDArray[Any]:
        """
        See L{Samples.read}.
        """
        return self.track.read(self.first + position, count)


def blocks(frames: int, channels: int = 1) -> Iterator[tuple[int, int]]:
    """
    @return: positions and counts that go over so many frames, in pieces that memory
        can hold.
    """
    block = max(_BLOCK // channels, 1)
    for position in range(0, frames, block):
        yield position, min(block, frames - position)


def writeAudio(
    directory: str,
    name: str,
    tracks: Sequence[Samples],
    rate: int,
    limit: int = WAV_LIMIT,
    container: Container = FORMATS["wav"],
) -> str:
    """
    Write a file with one channel per track.

    @param tracks: one or more, of the same length; as many as C{container} can have.
    @param rate: samples a second; C{container} has it.
    @param limit: octets of audio beyond which a WAV file becomes RF64.
    @return: SHA-256 of the file, in hexadecimal.
    @raise AudioError: see L{writeWhole}.
    """
    return writeWhole(directory, name, lambda file: _fill(file, tracks, rate, limit, container))


def writeWhole(directory: str, name: str, fill: Callable[[BinaryIO], None]) -> str:
    """
    Write a file that appears under its name when it is whole and on the disk.

    @param fill: writes what is in it.
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
                try:
                    fill(file)
                except soundfile.SoundFileError:
                    _checkRoom(file)
                    raise
                file.flush()
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


def _fill(
    file: BinaryIO, tracks: Sequence[Samples], rate: int, limit: int, container: Container
) -> None:
    frames, major = tracks[0].frames, container.major
    if major == "WAV" and frames * len(tracks) * 2 <= limit:
        # As libsndfile would; but that waits for the disk once more at the end.
        file.write(wavHeader(frames, len(tracks), rate))
        for together in _together(tracks):
            file.write(together.astype("<i2", copy=False).data)
        return
    if major == "WAV":
        major = "RF64"
    with soundfile.SoundFile(
        file.fileno(), "w", rate, len(tracks), container.minor, format=major, closefd=False
    ) as sound:
        for together in _together(tracks):
            sound.write(together)


def _together(tracks: Sequence[Samples]) -> Iterator[NDArray[np.int16]]:
    """
    @return: the samples of all tracks side by side, some at a time.
    """
    for position, count in blocks(tracks[0].frames, len(tracks)):
        together = np.empty((count, len(tracks)), np.int16)
        for channel, track in enumerate(tracks):
            together[:, channel] = track.read(position, count)
        yield together


def _checkRoom(file: BinaryIO) -> None:
    """
    Libsndfile says "System error", whatever it was.

    @raise OSError: there is no room for more.
    """
    left, end = _ROOM, os.fstat(file.fileno()).st_size
    while left:
        count = os.pwrite(file.fileno(), bytes(left), end)
        left, end = left - count, end + count


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
