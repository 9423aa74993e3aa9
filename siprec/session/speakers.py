"""
Who is heard on which stream: the merged metadata, brought together with the
streams of the SDP.
"""

from __future__ import annotations

from attrs import evolve

from siprec.metadata.bind import Binding, bind
from siprec.metadata.state import RecordingMetadata
from siprec.session.channels import continued, current, ended
from siprec.session.model import ParticipantInfo, RecordingSession, StreamInfo


def communicationSessions(metadata: RecordingMetadata) -> tuple[str, ...]:
    """
    @return: the ids of all communication sessions so far.
    """
    return tuple(metadata.sessions)


def withSpeakers(
    recording: RecordingSession, metadata: RecordingMetadata, at: float
) -> RecordingSession:
    """
    @param at: since when it is so, seconds since the epoch.
    @return: the recording with each running stream bound to the participant
        who sends on it; streams that are over keep whom they had.
    """
    running = sorted(
        (each for each in recording.streams if each.active), key=lambda each: each.mediaIndex
    )
    bindings = bind(metadata, [each.label for each in running])
    departed = metadata.departed()
    bound = {
        stream.index: _bound(stream, binding, departed, at)
        for stream, binding in zip(running, bindings, strict=True)
    }
    streams = tuple(
        bound[each.index]
        if each.index in bound
        else evolve(each, speakers=ended(each.speakers, at))
        for each in recording.streams
    )
    return evolve(recording, streams=streams, participants=_participants(metadata, streams))


def _bound(stream: StreamInfo, binding: Binding, departed: set[str], at: float) -> StreamInfo:
    # What was known of a stream stays true until somebody says otherwise:
    # without labels, a line that is given up takes the order away by which
    # the others were told apart.
    if binding.senders or stream.participant is None:
        participant, confidence = binding.participantID, binding.confidence
    else:
        participant, confidence = stream.participant, stream.confidence
    heard = [each for each in binding.senders if each not in departed]
    heard = heard or [each for each in current(stream.speakers) if each not in departed]
    speakers = continued(stream.speakers, heard, stream.label, confidence, at)
    return evolve(stream, participant=participant, confidence=confidence, speakers=speakers)


def _participants(
    metadata: RecordingMetadata, streams: tuple[StreamInfo, ...]
) -> tuple[ParticipantInfo, ...]:
    found = []
    for identity, participant in metadata.participants.items():
        labels = (
            each.label
            for each in streams
            if each.participant == identity or identity in current(each.speakers)
        )
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
