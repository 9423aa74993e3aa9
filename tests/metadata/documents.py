"""
Random documents for the property tests of the merge.
"""

from collections.abc import Sequence
from typing import Any

from attrs import evolve
from hypothesis import strategies as st

from siprec.metadata.model import (
    Extension,
    Group,
    MetadataDocument,
    NameID,
    Participant,
    ParticipantSession,
    ParticipantStream,
    Reason,
    Session,
    SessionRecording,
    Stream,
    Time,
)
from tests.metadata.fixtures import minute

_times = st.none() | st.integers(0, 5).map(lambda number: Time(str(number), minute(number)))
_extensions = st.lists(
    st.sampled_from("ab").map(lambda name: Extension("urn:x", name, f'<{name} xmlns="urn:x"/>')),
    max_size=2,
).map(tuple)
_names = st.lists(st.builds(NameID, st.sampled_from(["sip:1@x", "sip:2@x"])), max_size=2).map(tuple)


def _some(identifiers: str, element: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(element, max_size=len(identifiers), unique_by=lambda each: each.id).map(tuple)


_groups = _some("GH", st.builds(Group, st.sampled_from("GH"), _times, _times, _extensions))
_sessions = _some(
    "ST",
    st.builds(
        Session,
        st.sampled_from("ST"),
        st.lists(st.sampled_from(["a;remote=b", "c"]), max_size=2).map(tuple),
        st.lists(st.builds(Reason, st.just("bye"), st.just(16)), max_size=1).map(tuple),
        st.none() | st.sampled_from("GHI"),
        _times,
        _times,
        _extensions,
    ),
)
_participants = _some("PQR", st.builds(Participant, st.sampled_from("PQR"), _names, _extensions))
# A label for each stream, so that no two of one document share one.
_streams = _some(
    "uvw",
    st.sampled_from("uvw").flatmap(
        lambda id: st.builds(
            Stream,
            st.just(id),
            st.none() | st.sampled_from("STX"),
            st.none() | st.just(f"label {id}"),
            st.none(),
            st.none(),
            _times,
            _extensions,
        )
    ),
)
_recordings = st.lists(
    st.builds(SessionRecording, st.sampled_from("STX"), _times, _times, _extensions),
    max_size=2,
    unique_by=lambda each: each.sessionID,
).map(tuple)
_participations = st.lists(
    st.builds(ParticipantSession, st.sampled_from("PQRZ"), st.sampled_from("STX"), _times, _times),
    max_size=4,
    unique_by=lambda each: (each.participantID, each.sessionID),
).map(tuple)
_some_streams = st.lists(st.sampled_from("uvwy"), max_size=3, unique=True).map(tuple)
_uses = st.lists(
    st.builds(
        ParticipantStream, st.sampled_from("PQRZ"), _some_streams, _some_streams, _times, _times
    ),
    max_size=4,
    unique_by=lambda each: each.participantID,
).map(tuple)

#: Any document, with references to what it does not define.
documents = st.builds(
    MetadataDocument,
    st.just("ok"),
    st.just(()),
    st.sampled_from(["complete", "partial"]),
    _groups,
    _sessions,
    _participants,
    _streams,
    _recordings,
    _participations,
    _uses,
    _extensions,
)

_KINDS = (
    "groups",
    "sessions",
    "participants",
    "streams",
    "sessionRecordings",
    "participantSessions",
    "participantStreams",
)


def split(document: MetadataDocument, lengths: Sequence[int]) -> list[MetadataDocument]:
    """
    @param lengths: how many elements each part gets at most; the last one gets
        the rest.

    @return: documents that together say the same in the same order; the first
        one is complete and the others are partial.
    """
    elements = [(kind, each) for kind in _KINDS for each in getattr(document, kind)]
    parts = []
    for length in lengths:
        parts.append(elements[:length])
        elements = elements[length:]
    parts.append(elements)
    found = []
    for part in parts:
        content: dict[str, Any] = {
            kind: tuple(each for which, each in part if which == kind) for kind in _KINDS
        }
        found.append(MetadataDocument(mode="partial", **content))
    found[0] = evolve(found[0], mode="complete")
    found[-1] = evolve(found[-1], extensions=document.extensions)
    return found
