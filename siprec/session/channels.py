"""
Who was heard on a stream, and from when to when.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve

from siprec.session.model import Confidence, Speaker

__all__ = ["MOST", "SHORTEST", "continued", "current", "ended"]

#: Labels and metadata of one message are taken in one after the other.  What lasts
#: no longer than a packet, in seconds, is nobody who was heard: it is between the two.
SHORTEST = 0.02

#: How many speakers of one stream are remembered.
MOST = 256

_History = tuple[Speaker, ...]


def current(history: _History) -> tuple[str, ...]:
    """
    @return: the ids of those who are heard now.
    """
    return tuple(each.participant for each in history if each.end is None)


def continued(
    history: _History,
    senders: Iterable[str],
    label: str | None,
    confidence: Confidence,
    at: float,
) -> _History:
    """
    @param senders: ids of those who are heard from now on; several on a mixed stream.
    @param label: of the stream from now on; another one begins the entries anew.
    @param at: seconds since the epoch.
    """
    wanted = dict.fromkeys(senders)
    kept = []
    for each in history:
        if each.end is None:
            stays = each.participant in wanted and each.label == label
            if not stays and at - each.start < SHORTEST:
                continue
            each = evolve(each, confidence=confidence) if stays else evolve(each, end=at)
        kept.append(each)
    running = current(tuple(kept))
    for participant in wanted:
        if participant not in running:
            _begin(kept, Speaker(participant, label, at, confidence=confidence))
    return tuple(kept[-MOST:])


def _begin(kept: list[Speaker], new: Speaker) -> None:
    for place in range(len(kept) - 1, -1, -1):
        each = kept[place]
        if (each.participant, each.label) == (new.participant, new.label):
            if each.end is not None and new.start - each.end < SHORTEST:
                kept[place] = evolve(each, end=None, confidence=new.confidence)
                return
            break
    kept.append(new)


def ended(history: _History, at: float) -> _History:
    """
    @return: the same, nobody being heard any more.
    """
    return continued(history, (), None, "none", at)
