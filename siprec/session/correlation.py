"""
What recordings of one call have in common, as keys to find them by.

A call that is transferred, or whose legs are recorded apart, reaches the
recorder as several recording sessions.  Each key is a kind, a colon and an
identifier; two recordings that share one belong together in that regard.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from siprec.metadata.merge import merge
from siprec.metadata.state import RecordingMetadata
from siprec.metadata.vendor import vendorFields
from siprec.session.brought import Document

__all__ = ["correlationKeys", "keysOf"]


def correlationKeys(metadata: RecordingMetadata, vendor: Mapping[str, object]) -> tuple[str, ...]:
    """
    @param metadata: the merged state of the recording session.
    @param vendor: as L{siprec.metadata.vendor.vendorFields} finds them.
    @return: each key once, in an order that stays the same: C{session:} and the
        id of a communication session (RFC 7865 section 6.3), C{group:} and that
        of a group of them (section 6.2), C{sipsession:} and a SIP session
        identifier without white space (section 6.3.1, RFC 7989), C{ucid:} and a
        call identifier of a vendor.
    """
    return tuple(dict.fromkeys(_keys(metadata, vendor)))


def keysOf(
    headers: list[tuple[str, str]], documents: Sequence[Document], exclude: tuple[str, ...]
) -> tuple[str, ...]:
    """
    @return: the correlation keys of a session that is about to begin.
    """
    state = RecordingMetadata()
    for document in documents:
        if document.parsed.status != "error":
            state = merge(state, document.parsed, datetime.fromtimestamp(0, UTC))
    vendor = vendorFields(headers, [each.parsed for each in documents], exclude)
    return correlationKeys(state, vendor)


def _keys(metadata: RecordingMetadata, vendor: Mapping[str, object]) -> Iterator[str]:
    # Real senders leave identifiers empty; such a key would join strangers.
    sessions = metadata.sessions.values()
    yield from (f"session:{each.id}" for each in sessions if each.id)
    groups = (*metadata.groups, *(each.groupRef for each in sessions))
    yield from (f"group:{each}" for each in groups if each)
    for session in sessions:
        for identifier in session.sipSessionIDs:
            if not _isNil(stripped := "".join(identifier.split())):
                yield f"sipsession:{stripped}"
    ucids = vendor.get("sip_ucid")
    if isinstance(ucids, list | tuple):
        yield from (f"ucid:{each}" for each in ucids if each)


def _isNil(identifier: str) -> bool:
    """
    @return: whether both halves are the null UUID (RFC 7989 section 5), or not
        there at all.
    """
    local, _, remote = identifier.lower().partition(";remote=")
    return not (local.strip("0") or remote.strip("0"))
