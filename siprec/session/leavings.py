"""
What a process that was killed, or a machine whose power went, leaves in the folder of
a recording beside what belongs there: files that were being written, and ends of
journals that make no sense.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from twisted.logger import Logger

from siprec.media.journal import BadJournal, soundEnd
from siprec.metadata.parse import parseMetadata
from siprec.session.manifest import (
    NAME,
    UNFINISHED,
    BadManifest,
    Manifest,
    formatTime,
    readManifest,
)

__all__ = ["cutJournals", "lastManifest", "removeUnfinished", "unlistedDocuments"]

log = Logger()

# Manifests and documents, audio, what was fetched, and what the system names where
# it has no files without a name.
_UNFINISHED = re.compile(
    rf".+{re.escape(UNFINISHED)}|\..+\.unfinished|tmp[a-z0-9_]{{8}}", re.ASCII | re.DOTALL
)
_DOCUMENT = re.compile(r"metadata-([1-9][0-9]{0,5})\.xml", re.ASCII)

# The clock of a packet and that of its file are not the same: a packet may be told to
# have come so many seconds after the last write.
_SLACK = 60


def removeUnfinished(directory: str) -> None:
    """
    Remove what was being written.  Blocks.

    @raise OSError: the directory cannot be read.
    """
    for name in os.listdir(directory):
        if _UNFINISHED.fullmatch(name):
            log.info("{file} was never finished: removed", file=os.path.join(directory, name))
            with suppress(OSError):
                os.unlink(os.path.join(directory, name))


def lastManifest(directory: str) -> Manifest:
    """
    Read the manifest, or that which was to become it.  Blocks.

    @raise OSError: there is none, or it cannot be read.
    @raise BadManifest: neither is one of ours.
    """
    try:
        return readManifest(directory)
    except (FileNotFoundError, BadManifest):
        # Killed between the two steps of the very first write; or the system wrote
        # down the name before the content, and then had no power.
        with suppress(OSError, BadManifest):
            return readManifest(directory, NAME + UNFINISHED)
        raise


def cutJournals(directory: str, names: Iterable[str]) -> list[dict[str, Any]]:
    """
    Have each journal end where it stops making sense.  Blocks.

    @param names: of those that nobody writes any more and that were not closed.
    @return: for the manifest, C{file} and C{octets} of what was cut off.
    """
    cut = []
    for name in names:
        path = os.path.join(directory, name)
        try:
            status = os.stat(path)
            end = soundEnd(path, int((status.st_mtime + _SLACK) * 1e9))
            if end < status.st_size:
                os.truncate(path, end)
                cut.append({"file": name, "octets": status.st_size - end})
        except (BadJournal, OSError) as error:
            log.error("{file}: not readable: {why}", file=path, why=str(error))
    return cut


def unlistedDocuments(directory: str, manifest: Manifest) -> list[dict[str, Any]]:
    """
    @return: entries of the documents that came after the manifest was written.  Blocks.
    """
    listed = {each["file"] for each in manifest["metadata"]}
    matches = (_DOCUMENT.fullmatch(name) for name in os.listdir(directory))
    found = sorted((int(each[1]), each[0]) for each in matches if each and each[0] not in listed)
    entries = []
    for _, name in found:
        try:
            with open(os.path.join(directory, name), "rb") as file:
                parsed = parseMetadata(file.read())
                time = os.fstat(file.fileno()).st_mtime
        except OSError as error:
            log.error("{file}: not readable: {why}", file=name, why=str(error))
            continue
        entries.append(
            {
                "file": name,
                "time": formatTime(time),
                "mode": parsed.mode,
                "status": parsed.status,
                "notes": list(parsed.notes),
            }
        )
    return entries
