"""
Who sends the streams of a call, by what the peer has said.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from siprec.media.origin import WAITING, Expected, How
from siprec.sdp.choice import Choice
from siprec.sdp.model import SessionDescription
from siprec.session.live import LiveRecording

__all__ = ["expectSenders"]


def expectSenders(
    live: LiveRecording,
    choices: Iterable[Choice],
    remote: SessionDescription | None,
    how: str,
) -> None:
    """
    Say of each stream whose packets are recorded.

    @param choices: the decisions about the lines that hold now.
    @param remote: the peer's last description; C{None}: there is none yet.
    @param how: C{"latch"}, C{"sdp"} or C{"any"}; see L{Expected}.
    """
    lines = {each.index: each for each in choices if each.accepted}
    for stream in live.recording.streams:
        if not stream.active:
            continue
        choice = lines.get(stream.mediaIndex)
        expected = _expected(stream.mediaIndex, choice, remote, cast(How, how))
        if how == "sdp" and remote is not None and not expected.named:
            before = live.taps.expected(stream.index)
            if before == WAITING or before.named:
                # Nothing will be recorded, whoever sends.
                live.event("senderUnknown", stream=stream.index)
        live.taps.expect(stream.index, expected)


def _expected(
    index: int, choice: Choice | None, remote: SessionDescription | None, how: How
) -> Expected:
    if remote is None or index >= len(remote.media):
        # The answer is still to come, and with it what counts.
        return WAITING if how == "sdp" else Expected(how)
    address, control = remote.address(index), None if choice is None else choice.remoteControl
    return Expected(
        how,
        "" if address is None or address.null else address.address,
        "" if control is None else control[0],
    )
