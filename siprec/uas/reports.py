"""
Where the reports on the streams of a call go (RTCP), by what both sides have said.
"""

from __future__ import annotations

from collections.abc import Iterable

from siprec.media.keys import MasterKey
from siprec.media.rtcp import Destination, canonicalName
from siprec.sdp.choice import Choice
from siprec.sdp.model import SessionDescription
from siprec.session.live import LiveRecording
from siprec.session.model import StreamInfo

__all__ = ["aimReports"]

# What of a session's bandwidth its RTCP may take (RFC 3550 section 6.2).
_SHARE = 0.05


def aimReports(
    live: LiveRecording, choices: Iterable[Choice], remote: SessionDescription | None
) -> None:
    """
    Report on each stream to where the peer receives RTCP, and nowhere else.

    @param choices: the decisions about the lines that hold now.
    @param remote: the peer's last description; C{None}: there is none yet.
    """
    lines = {each.index: each for each in choices if each.accepted}
    for stream in live.recording.streams:
        choice = lines.get(stream.mediaIndex)
        if not stream.active:
            live.taps.leave(stream.index)
        elif choice is not None and remote is not None and choice.index < len(remote.media):
            live.taps.report(stream.index, _destination(live, stream, choice, remote))


def _destination(
    live: LiveRecording, stream: StreamInfo, choice: Choice, remote: SessionDescription
) -> Destination | None:
    """
    @return: C{None} where nothing may be sent.
    """
    bandwidth = _bandwidth(remote, choice.index)
    if choice.remoteControl is None or bandwidth == 0:
        return None
    key = None
    if choice.crypto:
        key = MasterKey(choice.crypto[0].suite, choice.crypto[0].local)
    host, port = choice.remoteControl
    return Destination(
        host=host,
        port=port,
        # The same in whatever process, as the recording is.
        name=canonicalName(live.recording.id),
        shared=choice.rtcpMux,
        key=key,
        bandwidth=bandwidth,
        rates={
            each.payloadType: 0 if each.codec.lower() == "telephone-event" else each.clockRate
            for each in stream.formats
        },
    )


def _bandwidth(remote: SessionDescription, index: int) -> float | None:
    """
    @return: octets a second for the reports of who only receives; C{None}: as is usual.
    """
    receivers = remote.bandwidth(index, "RR")
    if receivers is not None:
        return receivers / 8
    session = remote.bandwidth(index, "AS")
    return session * 1000 / 8 * _SHARE if session else None
