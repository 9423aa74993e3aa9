"""
Tolerant parser of rs-metadata documents (RFC 7865; RFC 9806 for the media type).

Elements are found by local name, without regard to case, in any of the known
namespaces or none, in any order.  What the drafts said inside a participant is
turned into the association elements of the RFC.  Nothing is checked against the
schema: too much of what is sent in the field would fail.
"""

from collections.abc import Callable
from datetime import UTC, tzinfo

from attrs import Factory, define
from lxml import etree

from siprec.metadata.dialect import makeNameID, plainName
from siprec.metadata.elements import Parts, PartsReader
from siprec.metadata.extension import ExtensionReader, splitTag
from siprec.metadata.model import (
    NAMESPACE,
    Extension,
    Group,
    MetadataDocument,
    Mode,
    NameID,
    Participant,
    ParticipantSession,
    ParticipantStream,
    Session,
    SessionRecording,
    Stream,
    Time,
)
from siprec.metadata.xml import readTree

__all__ = ["parseMetadata"]

# Where drafts put what RFC 7865 has in a nameID.
_DRAFT_NAMES = frozenset(("aor", "name"))


def parseMetadata(body: bytes, charset: str | None = None, zone: tzinfo = UTC) -> MetadataDocument:
    """
    Read one metadata document.  Never raises: see C{status} and C{notes}.

    @param body: the part as received, transfer encoding removed.
    @param charset: of its Content-Type; overrides the XML declaration.
    @param zone: that times of this peer are in where they name none.
    """
    tree = readTree(body, charset)
    notes = dict.fromkeys(tree.notes)
    if tree.root is None:
        return MetadataDocument(status="error", notes=tuple(notes))
    namespace, name = splitTag(str(tree.root.tag))
    kind = plainName(name)
    parts = PartsReader(namespace, zone, notes, ExtensionReader(len(body)))
    if namespace != NAMESPACE:
        parts.note(f"namespace {namespace[:80]!r}")
    if kind == "requestsnapshot":
        return _readRequest(parts, tree.root, namespace, tree.recovered)
    if kind == "recording":
        return _DocumentReader(parts).read(tree.root, namespace, tree.recovered)
    parts.note(f"root element {name[:80]!r} is no metadata")
    return MetadataDocument(status="error", notes=tuple(notes), namespace=namespace)


def _readRequest(
    reader: PartsReader, root: etree._Element, namespace: str, recovered: bool
) -> MetadataDocument:
    parts = reader.take(root, "requestsnapshot")
    text = parts.text("requestreason")
    return MetadataDocument(
        status="recovered" if recovered else "ok",
        root="requestsnapshot",
        namespace=namespace,
        extensions=parts.extensions,
        requestReason=None if text is None else (text, parts.language),
        notes=tuple(reader.notes),
    )


@define(eq=False, repr=False)
class _DocumentReader:
    """
    Turns the elements of a C{recording} into values.
    """

    _parts: PartsReader
    _mode: Mode = "complete"
    _groups: list[Group] = Factory(list)
    _sessions: list[Session] = Factory(list)
    _participants: list[Participant] = Factory(list)
    _streams: list[Stream] = Factory(list)
    _recordings: list[SessionRecording] = Factory(list)
    _participations: list[ParticipantSession] = Factory(list)
    _uses: list[ParticipantStream] = Factory(list)
    #: Extension data that names its parent, by the parent's identifier.
    _adopted: dict[str, list[Extension]] = Factory(dict)
    #: What drafts say of a participant without naming the session.
    _unplaced: list[tuple[str, Time | None, Time | None]] = Factory(list)

    def read(self, root: etree._Element, namespace: str, recovered: bool) -> MetadataDocument:
        """
        @param root: the C{recording} element, whatever its namespace.
        """
        readers: dict[str, Callable[[Parts], None]] = {
            "group": self._group,
            "session": self._session,
            "participant": self._participant,
            "stream": self._stream,
            "sessionrecordingassoc": self._sessionRecording,
            "participantsessionassoc": self._participantSession,
            "participantstreamassoc": self._participantStream,
        }
        top: list[Extension] = []
        elements = []
        for child, name in self._parts.children(root):
            if name in readers:
                elements.append((child, name))
            elif name == "datamode":
                self._datamode(child)
            elif name == "extensiondata" and (parent := child.get("parent")):
                self._parts.extend(child, name, self._adopted.setdefault(parent.strip(), []))
            else:
                self._parts.extend(child, name, top)
        for child, name in elements:
            readers[name](self._parts.take(child, name))
        for orphans in self._adopted.values():
            top += orphans
        self._place()
        return MetadataDocument(
            status="recovered" if recovered else "ok",
            mode=self._mode,
            groups=tuple(self._groups),
            sessions=tuple(self._sessions),
            participants=tuple(self._participants),
            streams=tuple(self._streams),
            sessionRecordings=tuple(self._recordings),
            participantSessions=tuple(self._participations),
            participantStreams=tuple(self._uses),
            extensions=tuple(top),
            namespace=namespace,
            recordingID=self._parts.attributes(root).get("id"),
            notes=tuple(self._parts.notes),
        )

    def _datamode(self, element: etree._Element) -> None:
        mode = (element.text or "").strip().lower()
        if mode == "partial":
            self._mode = "partial"
        elif mode != "complete":
            self._parts.note(f"datamode {mode[:40]!r}: taken as complete")

    def _group(self, parts: Parts) -> None:
        groupID = self._identifier(parts, "groupid")
        self._groups.append(Group(groupID, *self._times(parts), self._extensions(parts, groupID)))

    def _session(self, parts: Parts) -> None:
        sessionID = self._identifier(parts, "sessionid")
        # RFC 7865's own examples break these lines.
        sipSessionIDs = ["".join(text.split()) for text in parts.identifiers("sipsessionid")]
        self._sessions.append(
            Session(
                sessionID,
                tuple(sipSessionIDs),
                tuple(parts.compounds.reasons),
                parts.text("group") or parts.attribute("group", "groupid") or None,
                self._parts.time(parts, "start") if parts.timed else None,
                self._parts.time(parts, "stop") if parts.timed else None,
                self._extensions(parts, sessionID),
            )
        )
        if "associate" in parts.texts or "disassociate" in parts.texts:
            associated = self._parts.time(parts, "associate")
            disassociated = self._parts.time(parts, "disassociate")
            if associated or disassociated:
                self._recordings.append(SessionRecording(sessionID, associated, disassociated))

    def _participant(self, parts: Parts) -> None:
        names = tuple(parts.compounds.names)
        if not (_DRAFT_NAMES.isdisjoint(parts.texts) and _DRAFT_NAMES.isdisjoint(parts.attributes)):
            names += self._draftNames(parts)
        participantID = parts.attribute("participantid", "id")
        named = participantID is not None
        if participantID is None:
            participantID = f"aor:{names[0].aor}" if names else ""
            self._parts.note("participant without an identifier")
        self._participants.append(
            Participant(participantID, names, self._extensions(parts, participantID))
        )
        if named and not parts.texts and len(parts.attributes) == 1:
            return  # as RFC 7865 has it; the rest is what drafts have
        associated, disassociated = self._times(parts)
        sessionID = parts.attribute("sessionid", "session")
        if sessionID:
            self._participations.append(
                ParticipantSession(participantID, sessionID, associated, disassociated)
            )
        elif associated or disassociated:
            self._unplaced.append((participantID, associated, disassociated))
        send, recv = parts.identifiers("send"), parts.identifiers("recv")
        if send or recv:
            self._uses.append(ParticipantStream(participantID, send, recv))

    def _draftNames(self, parts: Parts) -> tuple[NameID, ...]:
        aors = parts.texts.get("aor") or [parts.attributes.get("aor", "")]
        names = parts.texts.get("name") or [parts.attributes.get("name", "")]
        names += [""] * (len(aors) - len(names))
        return tuple(
            makeNameID(aor, name) for aor, name in zip(aors, names, strict=False) if aor or name
        )

    def _stream(self, parts: Parts) -> None:
        label = parts.text("label")
        streamID = parts.attribute("streamid", "id")
        if streamID is None:
            streamID = f"label:{label}" if label else ""
            self._parts.note("stream without an identifier")
        self._streams.append(
            Stream(
                streamID,
                parts.attribute("sessionid", "session") or None,
                label,
                parts.text("mode"),
                *self._times(parts),
                self._extensions(parts, streamID),
            )
        )

    def _sessionRecording(self, parts: Parts) -> None:
        sessionID = self._identifier(parts, "sessionid", "session")
        self._recordings.append(SessionRecording(sessionID, *self._times(parts), parts.extensions))

    def _participantSession(self, parts: Parts) -> None:
        associated, disassociated = self._times(parts)
        self._participations.append(
            ParticipantSession(
                self._identifier(parts, "participantid", "participant"),
                self._identifier(parts, "sessionid", "session"),
                associated,
                disassociated,
                tuple(parts.compounds.params),
                parts.extensions,
            )
        )

    def _participantStream(self, parts: Parts) -> None:
        associated, disassociated = self._times(parts)
        self._uses.append(
            ParticipantStream(
                self._identifier(parts, "participantid", "participant"),
                parts.identifiers("send"),
                parts.identifiers("recv"),
                associated,
                disassociated,
                parts.extensions,
            )
        )

    def _place(self) -> None:
        """
        Some senders never say who takes part in the session.  Where there is
        only one, there is no doubt.
        """
        if len(self._sessions) != 1:
            if self._unplaced:
                self._parts.note("participant times without a session")
            return
        sessionID = self._sessions[0].id
        for participantID, associated, disassociated in self._unplaced:
            self._participations.append(
                ParticipantSession(participantID, sessionID, associated, disassociated)
            )
        if self._mode == "complete" and self._participants and not self._participations:
            self._parts.note("participants taken as parties of the only session")
            for participant in self._participants:
                self._participations.append(ParticipantSession(participant.id, sessionID))

    def _identifier(self, parts: Parts, *names: str) -> str:
        attributes = parts.attributes
        if names[0] in attributes:
            return attributes[names[0]]
        value = parts.attribute(*names[1:], "id")
        if value is None:
            self._parts.note(f"{parts.kind} without an identifier")
        return value or ""

    def _times(self, parts: Parts) -> tuple[Time | None, Time | None]:
        if not parts.timed:
            return None, None
        texts, time = parts.texts, self._parts.time
        return (
            time(parts, "associate", "start") if "associate" in texts or "start" in texts else None,
            time(parts, "disassociate", "stop")
            if "disassociate" in texts or "stop" in texts
            else None,
        )

    def _extensions(self, parts: Parts, identifier: str) -> tuple[Extension, ...]:
        if not self._adopted:
            return parts.extensions
        # popped, so that the first of two elements with one name has them
        return (*parts.extensions, *self._adopted.pop(identifier, ()))
