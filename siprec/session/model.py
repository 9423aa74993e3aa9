"""
The data model of a recorded call: what a node must know to go on with it.

Every class is immutable and holds only plain values (numbers, text, bytes,
tuples of those), so that a snapshot can be encoded, stored, and given to
another node as it is.  A change is a new value, made with C{evolve}.

Times are seconds since the Unix epoch, UTC, as C{float}.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from attrs import field, frozen

from siprec.ids import NodeID, RecordingID
from siprec.media.keys import MasterKey

#: What C{recording.json} says of a recording: media may still arrive; the call
#: is over and its audio is being made; all is there; something is missing.
State = Literal["recording", "finishing", "complete", "incomplete"]

#: How sure we are that a stream belongs to a participant: RFC 4574 label, the
#: order of m-lines, the only candidate left, or not at all.
Confidence = Literal["label", "order", "elimination", "none"]

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@frozen
class Format:
    """
    One payload type that was accepted for a stream (RFC 8866 section 6.6).

    @ivar payloadType: 0 to 127.
    @ivar codec: encoding name, such as C{PCMA}; as offered where we know no other.
    @ivar clockRate: RTP clock in hertz.
    @ivar fmtp: format parameters, verbatim, or C{None}.
    """

    payloadType: int
    codec: str
    clockRate: int
    channels: int = 1
    fmtp: str | None = None


@frozen
class Speaker:
    """
    Somebody who was heard on a stream for a while.

    @ivar participant: their id.
    @ivar label: of the stream at that time.
    @ivar end: C{None} while it lasts.
    """

    participant: str
    label: str | None
    start: float
    end: float | None = None
    confidence: Confidence = "none"


@frozen
class StreamInfo:
    """
    One recorded stream: one channel of the finished audio.

    @ivar index: position among all streams this recording ever had, from 0;
        it names the journal and the audio channel and never changes.
    @ivar mediaIndex: the m-line it is on, from 0.  A slot that was disabled
        and reused (RFC 3264 section 8.1) carries a stream of another index.
    @ivar direction: of our answer, C{recvonly} or C{inactive}.
    @ivar host: our RTP address, as in the SDP that we sent.
    @ivar port: our RTP port.
    @ivar active: false once its m-line has been given up.
    @ivar participant: id of who is heard on it; C{None}: not known, or several.
    @ivar speakers: who was heard on it and when, the earliest first; several at a
        time on a mixed stream.
    @ivar keys: by which the peer protects it, the newest first; C{None}: it comes in
        the clear.
    @ivar counters: of each source under these keys (SSRC) the index of its last packet
        (RFC 3711 section 3.3.1), as of the last save.
    """

    index: int
    mediaIndex: int
    label: str | None
    formats: tuple[Format, ...]
    host: str
    port: int
    kind: str = "audio"
    direction: str = "recvonly"
    active: bool = True
    participant: str | None = None
    confidence: Confidence = "none"
    speakers: tuple[Speaker, ...] = ()
    keys: tuple[MasterKey, ...] | None = None
    counters: tuple[tuple[int, int], ...] = ()

    @property
    def channel(self) -> int:
        """
        The audio channel of this stream, from 0.
        """
        return self.index


@frozen
class ParticipantInfo:
    """
    One participant of the recorded communication session (RFC 7865
    section 6.5).

    @ivar streams: labels of the streams the participant sends.
    """

    id: str
    name: str | None = None
    aor: str | None = None
    streams: tuple[str, ...] = ()


@frozen
class Segment:
    """
    The part of a recording that one node captured without a break.

    @ivar epoch: the owner epoch under which it was written.
    @ivar end: C{None} while it is being written.
    @ivar files: names of its journals inside the recording's directory.
    """

    node: NodeID
    epoch: int
    start: float
    end: float | None = None
    files: tuple[str, ...] = ()


@frozen
class MetadataRecord:
    """
    One rs-metadata document, kept byte for byte beside the recording.

    @ivar file: its name inside the recording's directory.
    @ivar mode: C{complete} or C{partial} (RFC 7865 section 5.1.2).
    @ivar status: C{ok}, C{recovered} or C{error}.
    @ivar notes: each leniency that was taken, or why it could not be read.
    """

    file: str
    time: float
    mode: str
    status: str
    notes: tuple[str, ...] = ()


@frozen
class OperatorPause:
    """
    Nothing of a call is kept for now, because somebody asked for that.

    @ivar who: the address that asked, or C{manhole} with the user's name.
    @ivar reason: as it was given.
    """

    since: float
    who: str
    reason: str | None = None


@frozen
class RecordingSession:
    """
    The recording of one recording session (RFC 7866 section 3).

    @ivar sessions: ids of the communication sessions it carries.
    @ivar correlations: keys by which recordings of one call find each other
        (L{siprec.session.correlation}).
    @ivar sip: what the dialog told of itself: C{from}, C{to}, C{userAgent},
        C{remoteAddress}, C{headers}.
    @ivar metadataState: the merged RFC 7865 state, as plain values.
    @ivar events: each with at least C{time} (seconds) and C{type}.
    @ivar history: what the metadata told of the call, like C{events}; types and facts
        are those of L{siprec.metadata.changes}.
    @ivar pause: C{None}: what comes is kept.
    """

    id: RecordingID
    callID: str
    startTime: float
    directory: str
    state: State = "recording"
    endTime: float | None = None
    endReason: str | None = None
    sessions: tuple[str, ...] = ()
    participants: tuple[ParticipantInfo, ...] = ()
    streams: tuple[StreamInfo, ...] = ()
    segments: tuple[Segment, ...] = ()
    events: tuple[Mapping[str, Any], ...] = ()
    metadata: tuple[MetadataRecord, ...] = ()
    metadataState: Mapping[str, Any] = _NOTHING
    sip: Mapping[str, Any] = _NOTHING
    vendor: Mapping[str, Any] = _NOTHING
    correlations: tuple[str, ...] = ()
    history: tuple[Mapping[str, Any], ...] = ()
    pause: OperatorPause | None = None

    @property
    def nodes(self) -> tuple[NodeID, ...]:
        """
        The nodes that captured it, in order, each once.
        """
        return tuple(dict.fromkeys(segment.node for segment in self.segments))


@frozen
class FinalResponse:
    """
    The final response to a request of the peer: each copy of that request is
    to be given the same (RFC 3261 section 17.2).

    @ivar method: of the request, C{cseq} its number.
    @ivar request: its start line and those of its headers that tell a copy of
        it from another request, as they came.
    @ivar flow: what it came by; as in L{DialogInfo}.
    @ivar response: as it is sent.
    @ivar until: when no copy is to be expected any more, absolute.
    @ivar awaitsACK: it is a 2xx to an INVITE, and its ACK has not come.
    @ivar offers: it carries an offer of ours, which that ACK answers.
    """

    method: str
    cseq: int
    request: bytes = field(repr=False)
    flow: tuple[str, str, int, str, int, int]
    response: bytes = field(repr=False)
    until: float
    awaitsACK: bool = False
    offers: bool = False


@frozen
class DialogInfo:
    """
    The SIP dialog of a recording session, as any node needs it to speak in it
    (RFC 3261 section 12; CONFORMANCE G.4 names the fields).

    @ivar localAddr: our name-addr, without tag; C{remoteAddr} the peer's.
    @ivar flow: transport, local host and port, remote host and port, and the
        connection's number, as the last request from the peer came.
    @ivar localSDP: the last description that we sent; empty before the first.
    @ivar remoteSDP: the last one that the peer sent.
    @ivar sdpSession: the id in our o= line, for the life of the dialog.
    @ivar peerAllows: the methods that the peer said it takes (Allow).
    @ivar sessionInterval: agreed session timer in seconds, or C{None}.
    @ivar sessionRefresher: who refreshes, by the roles in the first INVITE:
        C{uac} the peer, C{uas} this side.
    @ivar sessionExpires: when the session timer runs out, absolute.
    @ivar finals: our last final responses, the newest last.
    @ivar peers: the names of the configured peers that the peer may be.
    """

    callID: str
    localTag: str
    remoteTag: str
    localAddr: str
    remoteAddr: str
    remoteTarget: str
    localContact: str
    localCSeq: int
    remoteCSeq: int | None
    routeSet: tuple[str, ...] = ()
    secure: bool = False
    confirmed: bool = False
    flow: tuple[str, str, int, str, int, int] = ("UDP", "", 0, "", 0, 0)
    localSDP: bytes = field(default=b"", repr=False)
    remoteSDP: bytes = field(default=b"", repr=False)
    sdpSession: int = 0
    sessionInterval: int | None = None
    sessionRefresher: str | None = None
    sessionExpires: float | None = None
    peerAllows: tuple[str, ...] = ()
    finals: tuple[FinalResponse, ...] = ()
    peers: tuple[str, ...] = ()


@frozen
class CallSnapshot:
    """
    All that is promised to the peer: what the SIP side saves before each
    answer, and loads to go on with a call.

    @ivar lastActivity: last sign of life of any kind.
    @ivar metadata: free for the caller of the store; kept as it is.
    """

    recording: RecordingSession
    dialog: DialogInfo
    lastActivity: float
    metadata: Mapping[str, Any] = _NOTHING

    @property
    def key(self) -> str:
        """
        The name of this call in a store: the recording's id.
        """
        return self.recording.id


@frozen
class SessionData:
    """
    What the rich store keeps of a session.

    @ivar sessionID: the recording's id: the key.
    @ivar status: L{RecordingSession.state}.
    @ivar nodeID: the owner.
    @ivar snapshot: C{None} for records of programs that embed the session
        service alone.
    @ivar sessions: ids of the communication sessions, for search.
    @ivar metadata: free for the caller; kept as it is.
    @ivar vendor: vendor fields, lifted out of the recording for search.
    @ivar correlations: keys that recordings of one call have in common, for
        search; opaque to a store.
    @ivar version: set by the store: 1 at first, one more with each write.
    @ivar epoch: set by the store: 1 at first, one more with each new owner.
    @ivar remaining: set by the store when it is read or written: seconds until
        the record may be dropped.  It passes by itself, so it is no part of
        what makes two records equal, and it is not encoded.
    """

    sessionID: str
    callID: str
    status: str
    startTime: float
    lastUpdate: float
    recordingPath: str
    nodeID: NodeID
    snapshot: CallSnapshot | None = None
    sessions: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = _NOTHING
    vendor: Mapping[str, Any] = _NOTHING
    version: int = 0
    epoch: int = 0
    remaining: float = field(default=0.0, eq=False)
    correlations: tuple[str, ...] = ()


@frozen
class Claimed:
    """
    What a node took over from another in one step.

    @ivar records: as they are now, the node's own.
    @ivar left: how many the other still has that may be taken over: never fewer
        than there are, and 0 if there are none.  Those that cannot be read are
        counted until somebody comes across them.
    """

    records: tuple[SessionData, ...]
    left: int


@frozen
class NodeLease:
    """
    A node's sign of life, and how to reach it.

    @ivar instance: unique for each life of the process.
    @ivar host: the machine it runs on, C{pid} its process there.
    @ivar addresses: where other nodes and peers reach it.
    @ivar sessions: how many sessions it has.
    @ivar version: of the program.
    @ivar expires: set by the store, on the store's clock.
    @ivar data: free for the caller; kept as it is.
    """

    nodeID: NodeID
    instance: str
    host: str
    pid: int
    addresses: tuple[str, ...] = ()
    sessions: int = 0
    version: str = ""
    expires: float = 0.0
    data: Mapping[str, Any] = _NOTHING
