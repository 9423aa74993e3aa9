"""
What local policy wants to have masked before it is stored (RFC 7865 section 10).
"""

import re
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from attrs import Factory, evolve, field, frozen

from siprec.metadata.model import Extensions, MetadataDocument, NameID

__all__ = ["NO_MASK", "Mask"]

_DIGIT = re.compile(r"\d")
_SIGN = "*"


@frozen
class Mask:
    """
    Writes C{*} for each digit of what its patterns match.

    @ivar patterns: regular expressions.  Of one with groups only what these match is
        masked: C{(\\d+)\\d{3}} leaves three digits.
    @ivar digits: do not tell which digits were pressed, either.
    """

    patterns: tuple[str, ...] = ()
    digits: bool = False
    _compiled: tuple[re.Pattern[str], ...] = field(
        init=False,
        eq=False,
        repr=False,
        default=Factory(lambda self: tuple(map(re.compile, self.patterns)), takes_self=True),
    )

    def text(self, text: str) -> str:
        """
        @return: the text, as long as before.
        """
        for pattern in self._compiled:
            text = pattern.sub(_masked, text)
        return text

    def pressed(self, digit: str) -> dict[str, Any]:
        """
        @return: what is told of a digit that was pressed.
        """
        return {"digit": None, "masked": True} if self.digits else {"digit": digit}

    def values(self, value: Any) -> Any:
        """
        @return: a plain value with all texts in it masked; keys stay.
        """
        if not self.patterns:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.values(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.values(each) for each in value)
        return value

    def document(self, document: MetadataDocument, body: bytes) -> tuple[MetadataDocument, bytes]:
        """
        Mask the names and addresses of participants and the extension data.  Identifiers
        and labels stay, as they hold the document together.

        @param body: what it was read from.
        @return: both.  The body of a document that could not be read is masked as it is.
        """
        if not self.patterns:
            return document, body
        if document.status == "error":
            return document, self.text(body.decode("latin-1")).encode("latin-1")
        replaced: dict[str, str] = {}
        participants = tuple(
            evolve(
                each,
                names=tuple(self._name(name, replaced) for name in each.names),
                extensions=self._extensions(each.extensions, replaced),
            )
            for each in document.participants
        )
        changes: dict[str, Any] = {"participants": participants}
        for kind in (
            *("groups", "sessions", "streams", "sessionRecordings"),
            *("participantSessions", "participantStreams"),
        ):
            changes[kind] = tuple(
                evolve(each, extensions=self._extensions(each.extensions, replaced))
                for each in getattr(document, kind)
            )
        changes["extensions"] = self._extensions(document.extensions, replaced)
        return evolve(document, **changes), _replaced(body, replaced)

    def _said(self, text: str, replaced: dict[str, str]) -> str:
        masked = self.text(text)
        if masked != text:
            replaced[text] = masked
        return masked

    def _name(self, name: NameID, replaced: dict[str, str]) -> NameID:
        shown = None if name.name is None else self._said(name.name, replaced)
        return evolve(name, aor=self._said(name.aor, replaced), name=shown)

    def _extensions(self, extensions: Extensions, replaced: dict[str, str]) -> Extensions:
        masked = []
        for each in extensions:
            own: dict[str, str] = {}
            fields = tuple((path, self._said(value, own)) for path, value in each.fields)
            replaced.update(own)
            xml = _replaced(each.xml.encode(), own).decode()
            masked.append(evolve(each, fields=fields, xml=xml))
        return tuple(masked)


#: Masks nothing.
NO_MASK = Mask()


def _masked(match: re.Match[str]) -> str:
    groups = range(1, match.re.groups + 1) or range(1)
    spans = [match.span(number) for number in groups]
    begin = match.start()
    signs = list(match[0])
    for first, last in spans:
        # A group that took no part has the span (-1, -1).
        for place in range(max(first, begin) - begin, max(last, begin) - begin):
            signs[place] = _DIGIT.sub(_SIGN, signs[place])
    return "".join(signs)


def _replaced(body: bytes, replaced: Mapping[str, str]) -> bytes:
    # The longest first: one may be a part of another.
    for text in sorted(replaced, key=len, reverse=True):
        for form in dict.fromkeys((text, escape(text))):
            to = replaced[text] if form == text else escape(replaced[text])
            body = body.replace(form.encode(), to.encode())
    return body
