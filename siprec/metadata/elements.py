"""
One element of a metadata document taken apart, before it becomes a value of the
model: attributes and texts by plain name, and what is left as extensions.
"""

import re
from collections.abc import Iterator
from datetime import tzinfo
from functools import lru_cache

from attrs import Factory, define, field
from lxml import etree

from siprec.metadata.dialect import isKnownNamespace, makeNameID, parseTime, plainName
from siprec.metadata.extension import ExtensionReader, splitTag
from siprec.metadata.model import Extension, NameID, Reason, Time

__all__ = ["Parts", "PartsReader"]

_MOST_NOTES = 50
_CAUSE = re.compile(r"-?[0-9]{1,9}")
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_TIMES = frozenset(("associate", "disassociate", "start", "stop"))
#: What may stand in each element; the rest is extension data.
_CONTENT = {
    "group": _TIMES,
    "session": _TIMES | {"sipsessionid", "reason", "group"},
    "participant": _TIMES | {"nameid", "aor", "name", "send", "recv"},
    "stream": _TIMES | {"label", "mode"},
    "sessionrecordingassoc": _TIMES,
    "participantsessionassoc": _TIMES | {"param"},
    "participantstreamassoc": _TIMES | {"send", "recv"},
    "requestsnapshot": frozenset(("requestreason",)),
}
_NO_NAME: tuple[tuple[str, str | None], ...] = (("", None),)
#: What of it is more than a text.
_COMPOUND = frozenset(("nameid", "reason", "param", "requestreason"))
_PLAIN = {kind: content - _COMPOUND for kind, content in _CONTENT.items()}


# How many names are remembered: hostile documents have new ones without end.
_MOST_NAMES = 4096


class _Names(dict[object, str | None]):
    """
    Plain names of elements and attributes, kept from one document to the next: the same
    few come again and again.
    """

    def put(self, tag: object, plain: str | None) -> str | None:
        """
        @return: C{plain}.
        """
        if len(self) >= _MOST_NAMES:
            self.clear()
        self[tag] = plain
        return plain


@lru_cache(64)
def _elementNames(namespace: str) -> _Names:
    """
    @param namespace: of the document.
    """
    return _Names()


_ATTRIBUTE_NAMES = _Names()


@define(eq=False, repr=False)
class Compounds:
    """
    The children of an element that are more than a text.
    """

    extensions: list[Extension] = Factory(list)
    names: list[NameID] = Factory(list)
    reasons: list[Reason] = Factory(list)
    params: list[tuple[str, str]] = Factory(list)


# Of all the elements that have none, which most have not; nothing is ever added.
_NO_COMPOUNDS = Compounds()


@define(eq=False, repr=False)
class Parts:
    """
    What an element holds.

    @ivar kind: its plain name (L{plainName}).
    @ivar attributes: by plain name, without surrounding blanks.
    @ivar texts: of the children that have a text only, by plain name.
    @ivar compounds: the other children.
    @ivar timed: whether there is any time among them.
    """

    kind: str
    attributes: dict[str, str]
    texts: dict[str, list[str]]
    compounds: Compounds = _NO_COMPOUNDS
    language: str | None = None
    timed: bool = False

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """
        Elements that have no place here.
        """
        return tuple(self.compounds.extensions)

    def ownCompounds(self) -> Compounds:
        """
        Prepare for what is about to be added.
        """
        if self.compounds is _NO_COMPOUNDS:
            self.compounds = Compounds()
        return self.compounds

    def text(self, *names: str) -> str | None:
        """
        @return: the first text that is not blank under one of these names.
        """
        texts = self.texts
        for name in names:
            if name in texts:
                for text in texts[name]:
                    if text:
                        return text
        return None

    def attribute(self, *names: str) -> str | None:
        """
        @return: the first of these attributes that is there, even if empty.
        """
        for name in names:
            if (value := self.attributes.get(name)) is not None:
                return value
        return None

    def identifiers(self, name: str) -> tuple[str, ...]:
        """
        @return: the texts under this name, each once.
        """
        texts = self.texts.get(name)
        if texts is None:
            return ()
        if len(texts) > 1:
            return tuple(dict.fromkeys(text for text in texts if text))
        return tuple(texts) if texts[0] else ()


@define(eq=False, repr=False)
class PartsReader:
    """
    Takes the elements of one document apart.

    @ivar notes: what had to be tolerated, as the keys of a dict.
    """

    _namespace: str
    _zone: tzinfo
    notes: dict[str, None]
    _extensions: ExtensionReader = Factory(ExtensionReader)
    _times: dict[str, Time] = Factory(dict)
    _elements: _Names = field(
        init=False, default=Factory(lambda self: _elementNames(self._namespace), takes_self=True)
    )

    def note(self, text: str) -> None:
        """
        Note a leniency, once, and not without end.
        """
        if len(self.notes) < _MOST_NOTES:
            self.notes[text] = None

    def children(self, element: etree._Element) -> Iterator[tuple[etree._Element, str]]:
        """
        @return: each child element with its plain name, which is empty for one
            in a foreign namespace.
        """
        names = self._elements
        for child in element:
            tag = child.tag
            name = names[tag] if tag in names else self._elementName(tag)
            if name is not None:
                yield child, name

    def _elementName(self, tag: object) -> str | None:
        """
        @param tag: a name, or what lxml has in its place for what is no element.
        """
        if not isinstance(tag, str):
            return None
        namespace, name = splitTag(tag)
        known = namespace == self._namespace or isKnownNamespace(namespace)
        return self._elements.put(tag, plainName(name) if known else "")

    def attributes(self, element: etree._Element) -> dict[str, str]:
        """
        @return: the attributes without a foreign namespace, by plain name.
        """
        found = {}
        names = _ATTRIBUTE_NAMES
        for attribute, value in element.items():
            try:
                name = names[attribute]
            except KeyError:
                name = _attributeName(str(attribute))
            if name is not None:
                found[name] = str(value).strip()
        return found

    def take(self, element: etree._Element, kind: str) -> Parts:
        """
        @param kind: the element's plain name.
        """
        attributes: dict[str, str] = {}
        texts: dict[str, list[str]] = {}
        parts = Parts(kind, attributes, texts)
        for attribute, value in element.items():
            # What attributes() does, without a call.
            try:
                plain = _ATTRIBUTE_NAMES[attribute]
            except KeyError:
                plain = _attributeName(str(attribute))
            if plain is not None:
                attributes[plain] = str(value).strip()
        content, names = _PLAIN[kind], self._elements
        for child in element:
            try:
                name = names[child.tag]
            except KeyError:
                name = self._elementName(child.tag)
            if name in content:
                # What _text does, without a call for each of so many.
                text = child.text
                if text is None or not (text := text.strip()):
                    text = _text(child)
                try:
                    texts[name].append(text)
                except KeyError:
                    texts[name] = [text]
            elif name is not None:
                self._takeCompound(child, name, parts)
        if texts:
            parts.timed = not _TIMES.isdisjoint(texts)
        return parts

    def _takeCompound(self, child: etree._Element, name: str, parts: Parts) -> None:
        """
        Take what is more than a text.
        """
        compounds = parts.ownCompounds()
        if name not in _CONTENT[parts.kind]:
            self.extend(child, name, compounds.extensions)
        elif name == "nameid":
            self._takeNameID(child, compounds)
        elif name == "reason":
            compounds.reasons.append(self._readReason(child))
        elif name == "param":
            given = self.attributes(child)
            compounds.params.append((given.get("pname", ""), given.get("pval", "")))
        else:
            parts.texts.setdefault(name, []).append(_text(child))
            parts.language = child.get(_LANGUAGE)

    def extend(self, element: etree._Element, name: str, into: list[Extension]) -> None:
        """
        Read extension data; the drafts' wrapper around it says nothing itself.
        """
        elements = [element]
        if name == "extensiondata":
            elements = [child for child in element if isinstance(child.tag, str)] or elements
        for each in elements:
            extension = self._extensions.read(each)
            if extension is None:
                break
            into.append(extension)
        if self._extensions.truncated:
            self.note("too much extension data: some of it is left out")

    def time(self, parts: Parts, *names: str) -> Time | None:
        """
        @return: the first of these times that is there and not blank.
        """
        raw = parts.text(*names) if parts.timed else None
        if raw is None:
            return None
        if raw in self._times:
            return self._times[raw]
        time = self._times[raw] = parseTime(raw, self._zone)
        if time.value is None:
            self.note(f"not a time: {raw[:40]!r}")
        elif time.naive:
            self.note("times without a zone")
        return time

    def _takeNameID(self, element: etree._Element, into: Compounds) -> None:
        aor = self.attributes(element).get("aor") or ""
        names: list[tuple[str, str | None]] = []
        known = self._elements
        for child in element:
            tag = child.tag
            name = known[tag] if tag in known else self._elementName(tag)
            if name == "name":
                names.append((_text(child), child.get(_LANGUAGE) or child.get("lang")))
            elif name == "aor":
                aor = aor or _text(child)
            elif name is not None:
                self.extend(child, name, into.extensions)
        aor = aor or (element.text or "").strip()
        for text, language in names or _NO_NAME:
            into.names.append(makeNameID(aor, text, language))

    def _readReason(self, element: etree._Element) -> Reason:
        attributes = self.attributes(element)
        given = attributes.get("cause", "")
        cause = int(given) if _CAUSE.fullmatch(given) else None
        if cause is None:
            self.note("reason without a cause")
        return Reason(_text(element), cause, attributes.get("protocol") or "SIP")


def _attributeName(attribute: str) -> str | None:
    namespace, name = splitTag(attribute)
    plain = plainName(name) if isKnownNamespace(namespace) else None
    return _ATTRIBUTE_NAMES.put(attribute, plain)


def _text(element: etree._Element) -> str:
    """
    @return: its text, or its first child's: a draft has C{<send><id>x</id></send>}.
    """
    text = element.text
    if text is not None and (text := text.strip()):
        return text
    return (element[0].text or "").strip() if len(element) else ""
