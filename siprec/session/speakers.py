"""
Who is heard on which stream: the merged metadata, brought together with the
streams of the SDP.
"""

from __future__ import annotations

from attrs import evolve

from siprec.metadata.bind import bind
from siprec.metadata.state import RecordingMetadata
from siprec.session.model import ParticipantInfo, RecordingSession, StreamInfo


def communicationSessions(metadata: RecordingMetadata) -> tuple[str, ...]:
    """
    @return: the ids of all communication sessions so far.
    """
    return tuple(metadata.sessions)


def withSpeakers(recording: RecordingSession, metadata: RecordingMetadata) -> RecordingSession:
    """
    @return: the recording with each running stream bound to the participant
        who sends on it; streams that are over keep whom they had.
    """
    running = sorted(
        (each for each in recording.streams if each.active), key=lambda each: each.mediaIndex
    )
    bindings = bind(metadata, [each.label for each in running])
    bound: dict[int, StreamInfo] = {}
    for stream, binding in zip(running, bindings, strict=True):
        # What was known of a stream stays true until somebody says otherwise:
        # without labels, a line that is given up takes the order away by which
        # the others were told apart.
        if binding.participantID is None and stream.participant is not None:
            continue
        bound[stream.index] = evolve(
            stream, participant=binding.participantID, confidence=binding.confidence
        )
    streams = tuple(bound.get(each.index, each) for each in recording.streams)
    return evolve(recording, streams=streams, participants=_participants(metadata, streams))


def _participants(
    metadata: RecordingMetadata, streams: tuple[StreamInfo, ...]
) -> tuple[ParticipantInfo, ...]:
    found = []
    for identity, participant in metadata.participants.items():
        labels = (each.label for each in streams if each.participant == identity)
        name = next((each.name for each in participant.names if each.name), None)
        found.append(
            ParticipantInfo(
                id=identity,
                name=name,
                aor=participant.names[0].aor if participant.names else None,
                streams=tuple(label for label in labels if label is not None),
            )
        )
    return tuple(found)
