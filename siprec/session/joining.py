"""
How a recording goes on in another dialog: the client has given up the recording
session that it had and opened a new one for the same call.
"""

from __future__ import annotations

from attrs import define, evolve, field

from siprec.session.live import Document, LiveRecording, StreamRequest
from siprec.session.model import CallSnapshot
from siprec.session.resume import Resumption

__all__ = ["Joining", "reopened"]


def reopened(snapshot: CallSnapshot) -> CallSnapshot:
    """
    @return: the call as it was before its dialog was lost.
    """
    recording = evolve(snapshot.recording, state="recording", endTime=None, endReason=None)
    return evolve(snapshot, recording=recording)


def _rebind(live: LiveRecording, request: StreamRequest) -> None:
    """
    Bind a port pair for a stream of another dialog: the one that had its label before, or
    a new one.

    @raise siprec.media.ports.NoFreePorts: there is none.
    """
    for each in live.recording.streams:
        if request.label is not None and each.label == request.label and not each.active:
            break
    else:
        live.bindStream(request)
        return
    port = live.taps.allocate(each.index, live.bind)
    live.changeStream(
        each.index,
        mediaIndex=request.mediaIndex,
        host=live.advertise,
        port=port,
        direction=request.direction,
        active=True,
        keys=request.keys,
    )
    live.addFormats(each.index, request.formats)


@define(eq=False, repr=False)
class Joining(Resumption):
    """
    Goes on with one recording in a new segment, with the streams of a new offer.
    A stream that has the label of a former one is the same, and goes on in its
    channel.
    """

    _streams: list[StreamRequest] = field(kw_only=True)
    _documents: list[Document] = field(kw_only=True)
    _headers: list[tuple[str, str]] = field(kw_only=True)
    _callID: str = field(kw_only=True)

    async def run(self) -> LiveRecording:
        """
        See L{siprec.session.recordings.Recordings.join}.
        """
        live = await super().run()
        for document in self._documents:
            live.receive(document)
        live.event("stitched", callID=self._callID)
        return live

    def _bindAll(self, live: LiveRecording) -> None:
        live.headers = self._headers
        for stream in live.recording.streams:
            if stream.active:
                live.dropStream(stream.index)
        for request in self._streams:
            _rebind(live, request)
