"""
What the metadata tells of a call, as it stands in its recording.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, evolve, field

from siprec.metadata.changes import changes
from siprec.metadata.model import MetadataDocument
from siprec.metadata.state import RecordingMetadata
from siprec.metadata.storing import toDict
from siprec.metadata.vendor import vendorFields
from siprec.session.brought import Document
from siprec.session.correlation import correlationKeys
from siprec.session.model import MetadataRecord, RecordingSession
from siprec.session.speakers import communicationSessions, withSpeakers

__all__ = ["MOST_HISTORY", "VendorFields", "recordOf", "withHistory", "withMetadata"]

#: How much of what the metadata told is kept: more than any call has, and a bound for
#: what a hostile peer can make each save cost.
MOST_HISTORY = 2000


@define(eq=False, repr=False)
class VendorFields:
    """
    The vendors' fields of one call, as they were found last.
    """

    _of: tuple[object, ...] = field(default=(), init=False)
    _found: dict[str, object] = field(factory=dict, init=False)

    def fields(
        self,
        headers: Sequence[tuple[str, str]],
        documents: Sequence[Document],
        exclude: tuple[str, ...],
    ) -> dict[str, object]:
        """
        @param documents: as they came, of which none is ever replaced.
        @return: as L{vendorFields}.
        """
        # It looks for each name that a vendor may use, a millisecond for each call
        # and time, and mostly nothing has come in between.
        asked = (tuple(headers), len(documents), exclude)
        if asked != self._of:
            parsed = [each.parsed for each in documents]
            self._found = vendorFields(headers, parsed, exclude)
            self._of = asked
        return self._found


def recordOf(parsed: MetadataDocument, number: int, at: float) -> MetadataRecord:
    """
    @param number: of the document in its recording, from 1.
    @param at: when it came, seconds since the epoch.
    @return: its entry in the manifest.
    """
    return MetadataRecord(
        file=f"metadata-{number}.xml",
        time=at,
        mode=parsed.mode,
        status=parsed.status,
        notes=tuple(parsed.notes),
    )


def withHistory(
    recording: RecordingSession, before: RecordingMetadata, after: RecordingMetadata, at: float
) -> RecordingSession:
    """
    @param before: the merged metadata until now; C{after} that with a new document.
    @param at: when that came, seconds since the epoch.
    @return: the recording with what happened between both.
    """
    told = ({"time": at, "type": each.type, **each.facts} for each in changes(before, after))
    return evolve(recording, history=(*recording.history, *told)[-MOST_HISTORY:])


def withMetadata(
    recording: RecordingSession, state: RecordingMetadata, vendor: Mapping[str, Any], at: float
) -> RecordingSession:
    """
    @param vendor: the vendors' fields.
    @param at: since when it is so, seconds since the epoch.
    @return: the recording with who is heard on which stream, and with what it has in
        common with others.  What was found once stays.
    """
    lost = (each for each in recording.participants if each.id not in state.participants)
    found = withSpeakers(recording, state, at)
    return evolve(
        found,
        # Where the state of an earlier process is lost, its people are still
        # those who spoke.
        participants=(*lost, *found.participants),
        metadataState=toDict(state),
        sessions=tuple(dict.fromkeys((*found.sessions, *communicationSessions(state)))),
        correlations=tuple(dict.fromkeys((*found.correlations, *correlationKeys(state, vendor)))),
        vendor=vendor,
    )
