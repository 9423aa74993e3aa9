"""
Metadata as XML that is valid by the schema of RFC 7865, whatever it was read from.

Where the schema is narrower than the model: an identifier that is not base64 is
encoded so (a UUID as its 16 bytes, as section 5.2 asks, else its UTF-8 text); a
time that cannot be read and a reason without a cause are left out; a participant
without a nameID gets an anonymous one (RFC 3323 section 4.1.1.3); an extension
outside a foreign namespace is wrapped in the drafts' C{extensiondata}, which the
parser sees through.
"""

import base64
import re
from datetime import UTC
from functools import lru_cache
from typing import Any
from urllib.parse import quote
from uuid import UUID

from lxml import etree

from siprec.metadata.model import (
    DRAFT_NAMESPACE,
    NAMESPACE,
    Extensions,
    MetadataDocument,
    NameID,
    Session,
    Time,
)

__all__ = ["serialize", "snapshotRequest"]

_PREFIXES: dict[Any, str] = {None: NAMESPACE}
_DRAFT_PREFIXES: dict[Any, str] = {None: DRAFT_NAMESPACE}
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_PLACE = re.compile(r"<\?extension ([0-9]+)\?>")
_FIRST_TAG = re.compile(r"<([^\s/>]+)")
_ANONYMOUS = NameID("sip:anonymous@anonymous.invalid", "Anonymous")
_UUID = re.compile(r"(?:urn:uuid:)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.I)
_LANGUAGE_TAG = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_URI = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*:(?!//).*"
    r"|[A-Za-z][A-Za-z0-9+.-]*://[A-Za-z0-9._~-]+(?::[0-9]{1,5})?(?:[/?].*)?"
    r"|(?!//)[^:]*"
)
# All but Char of XML 1.0.  Told by what is allowed, it takes 20 ms to be compiled.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def serialize(document: MetadataDocument) -> bytes:
    """
    @return: the document in UTF-8 with an XML declaration.
    """
    if document.root == "requestsnapshot":
        text, language = document.requestReason or ("", None)
        return _request(text, language, document.extensions)
    writer = _Writer("recording")
    writer.add("datamode", document.mode)
    writer.addDescriptions(document)
    writer.addAssociations(document)
    writer.extend(writer.root, document.extensions)
    return writer.finished()


def snapshotRequest(reason: str, language: str | None = "en") -> bytes:
    """
    Ask the recording client for a complete document (RFC 7866 section 9.2).
    Only an UPDATE may carry it, with Content-Disposition recording-session and
    without SDP.

    @param reason: for people; may be empty.
    """
    return _request(reason, language, ())


def _request(reason: str, language: str | None, extensions: Extensions) -> bytes:
    writer = _Writer("requestsnapshot")
    if reason:
        _setLanguage(writer.add("requestreason", reason), language)
    writer.extend(writer.root, extensions)
    return writer.finished()


class _Writer:
    """
    One document in the making.

    Extensions are put in as text at the end: lxml loses track of namespaces when
    it moves elements below another default namespace.
    """

    def __init__(self, name: str) -> None:
        self.root = etree.Element(_tag(name), nsmap=_PREFIXES)
        self._extensions: list[str] = []

    def finished(self) -> bytes:
        """
        @return: the document.
        """
        xml = etree.tostring(self.root, encoding="unicode")
        xml = _PLACE.sub(lambda place: self._extensions[int(place[1])], xml)
        return _DECLARATION + xml.encode("utf-8")

    def add(
        self,
        name: str,
        text: str | None = None,
        parent: etree._Element | None = None,
        **identifiers: str,
    ) -> etree._Element:
        """
        Add an element with a text and identifiers as attributes.
        """
        element = etree.SubElement(self.root if parent is None else parent, _tag(name))
        if text is not None:
            element.text = _clean(text)
        for attribute, value in identifiers.items():
            element.set(attribute, _base64(value))
        return element

    def addDescriptions(self, document: MetadataDocument) -> None:
        """
        Add groups, sessions, participants and streams.
        """
        for group in document.groups:
            element = self.add("group", group_id=group.id)
            self._addTimes(element, group.associated, group.disassociated)
            self.extend(element, group.extensions)
        for session in document.sessions:
            self._addSession(session)
        for participant in document.participants:
            element = self.add("participant", participant_id=participant.id)
            for nameID in participant.names or (_ANONYMOUS,):
                child = self.add("nameID", None, element)
                child.set("aor", _uri(nameID.aor))
                if nameID.name is not None:
                    _setLanguage(self.add("name", nameID.name, child), nameID.language)
            self.extend(element, participant.extensions)
        for stream in document.streams:
            element = self.add("stream", stream_id=stream.id)
            if stream.sessionID is not None:
                element.set("session_id", _base64(stream.sessionID))
            if stream.label is not None:
                self.add("label", stream.label, element)
            self.extend(element, stream.extensions)

    def _addSession(self, session: Session) -> None:
        element = self.add("session", session_id=session.id)
        for sipSessionID in session.sipSessionIDs:
            self.add("sipSessionID", sipSessionID, element)
        for reason in session.reasons:
            if reason.cause is not None and -32768 <= reason.cause <= 32767:
                child = self.add("reason", reason.text, element)
                child.set("cause", str(reason.cause))
                child.set("protocol", _clean(reason.protocol))
        if session.groupRef is not None:
            self.add("group-ref", _base64(session.groupRef), element)
        self._addTime(element, "start-time", session.start)
        self._addTime(element, "stop-time", session.stop)
        self.extend(element, session.extensions)

    def addAssociations(self, document: MetadataDocument) -> None:
        """
        Add the three kinds of association.
        """
        for recording in document.sessionRecordings:
            element = self.add("sessionrecordingassoc", session_id=recording.sessionID)
            self._addTimes(element, recording.associated, recording.disassociated)
            self.extend(element, recording.extensions)
        for part in document.participantSessions:
            element = self.add(
                "participantsessionassoc",
                participant_id=part.participantID,
                session_id=part.sessionID,
            )
            self._addTimes(element, part.associated, part.disassociated)
            for name, value in part.params:
                param = self.add("param", None, element)
                param.set("pname", _clean(name))
                param.set("pval", _clean(value))
            self.extend(element, part.extensions)
        for use in document.participantStreams:
            element = self.add("participantstreamassoc", participant_id=use.participantID)
            for streamID in use.send:
                self.add("send", _base64(streamID), element)
            for streamID in use.recv:
                self.add("recv", _base64(streamID), element)
            self._addTimes(element, use.associated, use.disassociated)
            self.extend(element, use.extensions)

    def _addTimes(
        self, parent: etree._Element, associated: Time | None, disassociated: Time | None
    ) -> None:
        self._addTime(parent, "associate-time", associated)
        self._addTime(parent, "disassociate-time", disassociated)

    def _addTime(self, parent: etree._Element, name: str, time: Time | None) -> None:
        if time is not None and time.value is not None:
            utc = time.value.astimezone(UTC).replace(tzinfo=None)
            self.add(name, utc.isoformat() + "Z", parent)

    def extend(self, parent: etree._Element, extensions: Extensions) -> None:
        """
        Add extension data.

        @raise XMLSyntaxError: an extension's C{xml} is not well-formed; those of
            L{siprec.metadata.parse} are.
        """
        wrapper = None
        for extension in extensions:
            place = parent
            xml, namespace = _standalone(extension.xml)
            if namespace in (None, NAMESPACE):
                if wrapper is None:
                    tag = f"{{{DRAFT_NAMESPACE}}}extensiondata"
                    wrapper = etree.SubElement(parent, tag, nsmap=_DRAFT_PREFIXES)
                place = wrapper
            place.append(etree.ProcessingInstruction("extension", str(len(self._extensions))))
            self._extensions.append(xml)


def _standalone(xml: str) -> tuple[str, str | None]:
    """
    @return: an element that means the same below any default namespace, and its
        namespace.
    """
    element = etree.fromstring(xml, etree.XMLParser(resolve_entities=False, no_network=True))
    # The schema would look into these two, and at languages, wherever they are.
    for nested in list(element.iter(_tag("recording"), _tag("requestsnapshot"))):
        nested.tag = f"{{{DRAFT_NAMESPACE}}}{etree.QName(nested).localname}"
    for nested in element.iter(etree.Element):
        if (language := nested.get(_LANGUAGE)) and not _LANGUAGE_TAG.fullmatch(language):
            del nested.attrib[_LANGUAGE]
    xml = etree.tostring(element, encoding="unicode")
    if None not in element.nsmap:
        xml = _FIRST_TAG.sub(r'<\1 xmlns=""', xml, count=1)
    return xml, etree.QName(element).namespace


@lru_cache(64)
def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _setLanguage(element: etree._Element, language: str | None) -> None:
    if language and _LANGUAGE_TAG.fullmatch(language):
        element.set(_LANGUAGE, language)


@lru_cache(1024)
def _base64(identifier: str) -> str:
    try:
        if base64.b64encode(base64.b64decode(identifier, validate=True)).decode() == identifier:
            return identifier
    except ValueError:
        pass
    if found := _UUID.fullmatch(identifier):
        return base64.b64encode(UUID(found[1]).bytes).decode()
    return base64.b64encode(identifier.encode("utf-8", "surrogatepass")).decode()


def _uri(text: str) -> str:
    """
    Escape what no URI may hold (RFC 3986 section 2), and nothing else.
    """
    uri = _PERCENT.sub("%25", quote(_clean(text), safe="!$%&'()*+,/:;=?@~"))
    if not _URI.fullmatch(uri):
        # A colon without a scheme before it, or slashes without a host behind.
        uri = uri.replace(":", "%3A").replace("/", "%2F")
    return uri


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
