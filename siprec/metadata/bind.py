"""
Which stream and which participant an m-line carries.

By label (RFC 7866 section 7.1.1), else by order, else as the only one left:
clients are seen that send no labels, labels twice, or labels of streams that
they never describe.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from attrs import evolve, frozen

from siprec.metadata.state import RecordingMetadata, StreamState

__all__ = ["Binding", "Confidence", "bind"]

Confidence = Literal["label", "order", "elimination", "none"]


@frozen
class Binding:
    """
    One m-line of the accepted SDP.

    @ivar index: of the m-line, from 0.
    @ivar label: of the m-line, or C{None}.
    @ivar streamID: of the metadata's stream, or C{None}.
    @ivar participantID: who sends it, if that is one person; who sent it last,
        while it is on hold.
    @ivar confidence: how both were found; the weaker one counts.
    @ivar senders: everybody who sends it; more than one for a mixed stream.
    """

    index: int
    label: str | None = None
    streamID: str | None = None
    participantID: str | None = None
    confidence: Confidence = "none"
    senders: tuple[str, ...] = ()


def bind(state: RecordingMetadata, labels: Sequence[str | None]) -> tuple[Binding, ...]:
    """
    @param labels: of each m-line in order, C{None} where it has none.  They are
        those of the last accepted SDP, also for metadata that came without any.

    @return: one binding for each m-line.
    """
    current, latest = _senders(state)
    streams = _candidates(state, latest)
    byLabel: dict[str | None, list[StreamState]] = {}
    for stream in streams:
        byLabel.setdefault(stream.label, []).append(stream)
    counts = Counter(labels)
    found: dict[int, tuple[StreamState, Confidence]] = {}
    for index, label in enumerate(labels):
        mine = byLabel.get(label, ()) if label else ()
        if len(mine) == 1 and counts[label] == 1:
            found[index] = mine[0], "label"
    bound = {stream.id for stream, _ in found.values()}
    left = [stream for stream in streams if stream.id not in bound]
    open = [index for index in range(len(labels)) if index not in found]
    if open and len(open) == len(left):
        confidence: Confidence = "order"
        if len(open) == 1 and found:
            confidence = "elimination"
        found.update(zip(open, ((stream, confidence) for stream in left), strict=True))
    bindings = []
    for index, label in enumerate(labels):
        if index in found:
            stream, confidence = found[index]
            senders = current.get(stream.id) or latest.get(stream.id) or ()
            only = senders[0] if len(senders) == 1 else None
            bindings.append(Binding(index, label, stream.id, only, confidence, senders))
        else:
            bindings.append(Binding(index, label))
    return tuple(_bindParticipants(state, bindings, bool(latest)))


def _senders(
    state: RecordingMetadata,
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """
    @return: by stream, who sends it now, and who sent it last.
    """
    current: dict[str, tuple[str, ...]] = {}
    for streamID, participantID in state.senders():
        current[streamID] = (*current.get(streamID, ()), participantID)
    last: dict[str, tuple[datetime, tuple[str, ...]]] = {}
    for participantID, uses in state.uses.items():
        for use in uses.uses:
            for streamID in use.send:
                seen, senders = last.get(streamID, (use.seen, ()))
                if use.seen > seen:
                    senders = ()
                if use.seen >= seen and participantID not in senders:
                    last[streamID] = use.seen, (*senders, participantID)
    return current, {streamID: senders for streamID, (_, senders) in last.items()}


def _candidates(state: RecordingMetadata, latest: dict[str, tuple[str, ...]]) -> list[StreamState]:
    """
    @return: the streams that m-lines can carry, in the order of their first
        mention; after the end of a call those that it had.
    """
    streams = [stream for stream in state.streams.values() if stream.closed is None]
    streams = streams or [
        stream for stream in state.streams.values() if stream.cause == "session-stopped"
    ]
    if any(not stream.defined for stream in streams):
        # After a transfer the new party's streams are only referred to (RFC 8068
        # section 3.2.3): they take the place of those whose sender has left.
        departed = state.departed()
        streams = [
            stream
            for stream in streams
            if not stream.defined
            or stream.id not in latest
            or not departed.issuperset(latest[stream.id])
        ]
    return streams


def _bindParticipants(
    state: RecordingMetadata, bindings: list[Binding], anybodySends: bool
) -> list[Binding]:
    """
    Find the participants that the metadata names but gives no stream.
    """
    departed = state.departed()
    taken = {sender for binding in bindings for sender in binding.senders}
    free = [
        participant.id
        for participant in state.participants.values()
        if participant.id not in departed and participant.id not in taken
    ]
    without = [binding.index for binding in bindings if not binding.senders]
    if not without or len(without) != len(free):
        return bindings
    if len(free) == 1 and len(bindings) > 1:
        confidence: Confidence = "elimination"
    elif anybodySends:
        # Some send and several do not: these are listeners, not lost senders.
        return bindings
    else:
        confidence = "order"
    for index, participantID in zip(without, free, strict=True):
        bindings[index] = evolve(
            bindings[index],
            participantID=participantID,
            confidence=confidence,
            senders=(participantID,),
        )
    return bindings
