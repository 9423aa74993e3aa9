"""
The state of a recording's metadata, made again from the documents that were kept: they
are merged in the order and at the times in which they came, so it is the same.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

from siprec.metadata.merge import merge
from siprec.metadata.parse import parseMetadata
from siprec.metadata.state import RecordingMetadata
from siprec.session.model import RecordingSession

__all__ = ["readDocuments", "replayed"]


def readDocuments(recording: RecordingSession) -> dict[str, bytes]:
    """
    Read what is there of the documents that a recording knows.  Blocks.

    @return: their bytes, by name.
    """
    found = {}
    for each in recording.metadata:
        with suppress(OSError), open(os.path.join(recording.directory, each.file), "rb") as file:
            found[each.file] = file.read()
    return found


def replayed(
    recording: RecordingSession, documents: Mapping[str, bytes]
) -> tuple[RecordingMetadata, bool]:
    """
    @param documents: by name; those that are missing are passed over.
    @return: the state, and whether it is whole.
    """
    state = RecordingMetadata()
    for each in recording.metadata:
        if each.file in documents:
            parsed = parseMetadata(documents[each.file])
            state = merge(state, parsed, datetime.fromtimestamp(each.time, UTC))
    return state, all(each.file in documents for each in recording.metadata)
