"""
The files of a recording that go from one node to another.  Everything here blocks.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from stat import S_ISREG

from attrs import frozen

from siprec.cluster.segmentnames import isOffered
from siprec.session.manifest import NAME, syncDirectory

__all__ = [
    "MAX_PIECE",
    "NotHeld",
    "NotThere",
    "OfferedFile",
    "append",
    "complete",
    "digests",
    "discardParts",
    "offers",
    "readPiece",
    "received",
    "removeCopy",
]

#: Most bytes of a file that are sent at once.
MAX_PIECE = 1024 * 1024

# What an unfinished file has after its name.
_PART = ".part"

_BLOCK = 1024 * 1024
_AUDIO = re.compile(r"audio\.[a-z0-9]{1,8}", re.ASCII)


class NotThere(LookupError):
    """
    There is no such file.
    """


class NotHeld(Exception):
    """
    A file is nowhere else: it must not be removed.
    """


@frozen
class OfferedFile:
    """
    A file that a node has.

    @ivar size: in bytes.
    @ivar digest: SHA-256, in hexadecimal.
    """

    name: str
    size: int
    digest: str


# For who has the files.


def offers(directory: str) -> list[OfferedFile]:
    """
    @return: the journals and documents of a recording, by name.
    @raise OSError: they cannot be read.
    """
    found = []
    for name in sorted(filter(isOffered, os.listdir(directory))):
        with suppress(NotThere), _opened(directory, name) as descriptor:
            found.append(OfferedFile(name, *_digest(descriptor)))
    return found


def readPiece(directory: str, name: str, offset: int, length: int) -> bytes:
    """
    @return: at most C{length} bytes; fewer at the end of the file.
    @raise NotThere: there is no file of that name, or it is not to be read by others.
    @raise OSError: it cannot be read.
    """
    if not isOffered(name):
        raise NotThere(name)
    with _opened(directory, name) as descriptor:
        return os.pread(descriptor, length, offset)


def removeCopy(directory: str, held: Mapping[str, str]) -> None:
    """
    Remove what the recorder has written of a recording, and the folder unless there
    is something else in it.

    @param held: what another node has of it: SHA-256 by name.
    @raise NotHeld: that is not all; nothing is removed then.
    @raise OSError: it cannot be removed.
    """
    have = offers(directory)
    for each in have:
        if held.get(each.name) != each.digest:
            raise NotHeld(each.name)
    names = os.listdir(directory)
    rest = [name for name in names if name.endswith(_PART) or _AUDIO.fullmatch(name)]
    # The manifest last: without it nobody would find the rest again.
    for name in [*(each.name for each in have), *rest, f"{NAME}.new", NAME]:
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(directory, name))
    with suppress(OSError):  # somebody has put something there
        os.rmdir(directory)


# For who fetches them.


def received(directory: str, offered: OfferedFile) -> int:
    """
    @return: how much of a file came so far, in bytes.
    @raise OSError: it cannot be seen.
    """
    path = _part(directory, offered.name)
    try:
        size = os.stat(path, follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0
    if size <= offered.size:
        return size
    os.unlink(path)
    return 0


def append(directory: str, name: str, offset: int, data: bytes) -> int:
    """
    Write the next piece of a file.

    @param offset: as L{received} gave it, or the last piece.
    @return: where the next one begins.
    @raise OSError: it cannot be written; what could is kept.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(_part(directory, name), flags, 0o644)
    try:
        rest = memoryview(data)
        while rest:
            written = os.pwrite(descriptor, rest, offset)
            offset, rest = offset + written, rest[written:]
    finally:
        os.close(descriptor)
    return offset


def complete(directory: str, offered: OfferedFile) -> bool:
    """
    Give a file of which all has come its name.  What has that name already stays.

    @return: whether it is what was offered; else it has to be fetched again.
    @raise OSError: it cannot be made to last.
    """
    part, path = _part(directory, offered.name), os.path.join(directory, offered.name)
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        good = _digest(descriptor) == (offered.size, offered.digest)
        if good:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if not good or os.path.lexists(path):
        os.unlink(part)
        return good
    os.rename(part, path)
    syncDirectory(directory)
    return True


def digests(directory: str, names: Iterable[str]) -> dict[str, str]:
    """
    @return: the SHA-256 of those of these files that are there, by name.
    @raise OSError: they cannot be read.
    """
    found = {}
    for name in names:
        with suppress(NotThere), _opened(directory, name) as descriptor:
            found[name] = _digest(descriptor)[1]
    return found


def discardParts(directory: str) -> None:
    """
    Remove what came of files and will not be completed.

    @raise OSError: it cannot be removed.
    """
    for name in os.listdir(directory):
        if name.endswith(_PART) and isOffered(name.removesuffix(_PART)):
            os.unlink(os.path.join(directory, name))


def _part(directory: str, name: str) -> str:
    return os.path.join(directory, name + _PART)


@contextmanager
def _opened(directory: str, name: str) -> Iterator[int]:
    """
    @raise NotThere: it is not there, or no plain file: a link could lead anywhere.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        found = os.stat(os.path.join(directory, name), follow_symlinks=False)
        if not S_ISREG(found.st_mode):
            raise NotThere(name)
        descriptor = os.open(os.path.join(directory, name), flags)
    except FileNotFoundError:
        raise NotThere(name) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _digest(descriptor: int) -> tuple[int, str]:
    """
    @return: size and SHA-256 of a file.
    """
    digest, size = hashlib.sha256(), 0
    while block := os.pread(descriptor, _BLOCK, size):
        digest.update(block)
        size += len(block)
    return size, digest.hexdigest()
