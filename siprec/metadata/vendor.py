"""
What the SIP headers and the extension data say beyond RFC 7865.

The rows of L{siprec.metadata.vendortable} are applied to every call; nothing is
thrown away, except what local policy must not store.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

from siprec.metadata.model import Extension, MetadataDocument
from siprec.metadata.uui import (
    decodeUUI,
    isAvayaUUI,
    parametersOf,
    splitParameters,
    splitValues,
    ucidsOf,
)
from siprec.metadata.vendortable import (
    GENERIC_HEADERS,
    NICE_NAMES,
    VENDORS,
    XML_FIELDS,
    Vendor,
)

__all__ = ["keptHeaders", "vendorFields", "withEarlier"]

_Index = dict[str, list[str]]

_COMPACT = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}
#: What the SIP layer itself consumes, and credentials.
_CONSUMED = re.compile(
    r"via|route|record-route|max-forwards|content-.*|cseq|authorization|proxy-authorization"
)
_LISTED = frozenset(GENERIC_HEADERS).union(
    header.partition(";")[0]
    for vendor in VENDORS
    for _, headers in (*vendor.fields, ("", vendor.ucids))
    for header in headers
)
# The rows by the headers that they look at, so that a call costs as much as it has
# headers rather than as much as there are rows: each is a key with its headers.
_ROWS = tuple(row for vendor in VENDORS for row in vendor.fields)
_ROWS_OF: dict[str, list[int]] = {}
for _number, (_, _headers) in enumerate(_ROWS):
    for _header in _headers:
        _ROWS_OF.setdefault(_header.partition(";")[0], []).append(_number)
_UCIDS = tuple(name for vendor in VENDORS for name in vendor.ucids)
_EVIDENCE = tuple(name for vendor in VENDORS for name in vendor.evidence)
_COMMENT = re.compile(r"\([^()]*\)")
_NIL = "0" * 32
_AVAYA_UCID = re.compile(r"[0-9]{20}", re.ASCII)
_GENERIC = "generic"


def keptHeaders(
    headers: Sequence[tuple[str, str]], exclude: Sequence[str] = ()
) -> dict[str, list[str]]:
    """
    @param headers: name and value of each header line, as received.
    @param exclude: header names to leave out, without regard to case; C{*}, C{?}
        and C{[...]} as in file names.

    @return: each header that the SIP layer does not consume, under its name as
        first received (in full where that was a compact form), with its values
        in order.
    """
    kept: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for name, value in _allowed(headers, exclude):
        lower = name.lower()
        if not _CONSUMED.fullmatch(lower):
            kept.setdefault(names.setdefault(lower, name), []).append(value)
    return kept


def vendorFields(
    headers: Sequence[tuple[str, str]],
    documents: Sequence[MetadataDocument],
    exclude: Sequence[str] = (),
) -> dict[str, object]:
    """
    @param headers: of the INVITE, as received.
    @param documents: of the call so far; a later one overrides an earlier one.
    @param exclude: as for L{keptHeaders}; it also leaves out the keys that match.

    @return: C{type} (also C{sip_vendor_type}): the vendor of the recording
        client, or C{generic}; C{ucid} (also C{sip_ucid}): every call identifier
        across systems, each once; C{sip_...}, C{pcv_...} and C{ext_...} fields,
        each a text, or a list of texts where there is more than one.
    """
    index: _Index = {}
    for name, value in _allowed(headers, exclude):
        index.setdefault(name.lower(), []).append(value)
    fields: dict[str, object] = {}
    ucids: dict[str, None] = {}
    _addHeaders(fields, index)
    for number in sorted({number for name in index for number in _ROWS_OF.get(name, ())}):
        key, names = _ROWS[number]
        if (first := _first(index, names)) is not None:
            fields[key] = first
    for name in _UCIDS:
        if name in index:
            ucids.update(dict.fromkeys(map(_identifier, index[name])))
    if (oracle := fields.get("sip_oracle_ucid")) is not None:
        ucids[_identifier(str(oracle))] = None
    for value in _informations(index):
        ucids.update(dict.fromkeys(ucidsOf(value)))
    for document in documents:
        _addExtensions(fields, ucids, document)
    fields["type"] = fields["sip_vendor_type"] = type = _detect(index, documents)
    if type == "avaya":
        # Its border controllers name a communication session by the call's UCID.
        sessions = (each.id for document in documents for each in document.sessions)
        for session in filter(_AVAYA_UCID.fullmatch, sessions):
            fields.setdefault("sip_avaya_ucid", session)
            ucids[session] = None
    for nothing in ("", _NIL):
        ucids.pop(nothing, None)
    fields["ucid"] = fields["sip_ucid"] = list(ucids)
    excluded = _matcher(tuple(exclude))
    return {key: value for key, value in fields.items() if not excluded(key.lower())}


def withEarlier(before: Mapping[str, object], found: dict[str, object]) -> dict[str, object]:
    """
    @param before: what L{vendorFields} found in headers and documents that
        came earlier and are not at hand any more; perhaps nothing.
    @param found: what it finds in the others.

    @return: both; the later one overrides the earlier one, call identifiers
        add up, and a vendor that was recognised stays.
    """
    if not before:
        return found
    merged = {**before, **found}
    for key in ("type", "sip_vendor_type"):
        if found.get(key) == _GENERIC and before.get(key):
            merged[key] = before[key]
    for key in ("ucid", "sip_ucid"):
        lists = [
            each for each in (before.get(key), found.get(key)) if isinstance(each, list | tuple)
        ]
        if lists:
            merged[key] = list(dict.fromkeys(ucid for each in lists for ucid in each))
    return merged


def _allowed(
    headers: Iterable[tuple[str, str]], exclude: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """
    @return: the headers without the excluded ones, compact names in full.
    """
    excluded = _matcher(tuple(exclude))
    for name, value in headers:
        name, lower = _inFull(name)
        if not excluded(lower):
            yield name, _printable(value)


@lru_cache(1024)
def _inFull(name: str) -> tuple[str, str]:
    # The same clients send the same names in each call.
    name = name.strip()
    name = _COMPACT.get(name.lower(), name)
    return name, name.lower()


@lru_cache(16)
def _matcher(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    lowered = [pattern.lower() for pattern in patterns]
    if not lowered:
        return lambda name: False
    return lambda name: any(fnmatchcase(name, pattern) for pattern in lowered)


def _printable(value: str) -> str:
    # Octets that are no UTF-8 arrive as lone surrogates, which neither msgpack
    # nor UTF-8 can write.
    if value.isascii():
        return value
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        value = value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value


def _oneOrMore(values: list[str]) -> object:
    return values[0] if len(values) == 1 else values


def _addHeaders(fields: dict[str, object], index: _Index) -> None:
    for name, values in index.items():
        if name in ("from", "to") or name in _LISTED or name.startswith("x-"):
            fields["sip_" + name.replace("-", "_")] = _oneOrMore(values)
    if informations := [decodeUUI(value) for value in _informations(index)]:
        fields["sip_uui"] = _oneOrMore(informations)
    for line in index.get("p-charging-vector", ()):
        for name, value in parametersOf(line).items():
            fields.setdefault("pcv_" + name.replace("-", "_"), value)


def _informations(index: _Index) -> list[str]:
    lines = [*index.get("user-to-user", ()), *index.get("x-user-to-user", ())]
    return [value for line in lines for value in splitValues(line)]


def _first(index: _Index, names: Iterable[str]) -> str | None:
    """
    @param names: of headers; one may go on with C{;} and a parameter.
    """
    for name in names:
        header, _, parameter = name.partition(";")
        for value in index.get(header, ()):
            if not parameter:
                return value
            if found := parametersOf(value).get(parameter):
                return found
    return None


def _identifier(value: str) -> str:
    """
    @return: a call identifier without parameters such as C{;encoding=hex}.
    """
    return splitParameters(value)[0]


def _addExtensions(
    fields: dict[str, object], ucids: dict[str, None], document: MetadataDocument
) -> None:
    seen: dict[str, int] = {}
    for kind, number, extension in document.allExtensions():
        vendor = _vendorOf(extension)
        type = vendor.type if vendor else ""
        prefix = f"ext_{kind}_" if kind == "recording" else f"ext_{kind}_{number}_"
        prefix += type and f"{type}_"
        for path, value in extension.fields:
            key = prefix + path.replace("/", "_").replace("@", "_")
            seen[key] = seen.get(key, 0) + 1
            fields[key if seen[key] == 1 else f"{key}_{seen[key]}"] = value
            if value:
                _addNamed(fields, ucids, type, re.split("[/@]", path)[-1], value)
        if type == "oracle" and extension.name == "callingParty" and kind == "participant":
            _addCallingParty(fields, document, number, extension)


def _addNamed(
    fields: dict[str, object], ucids: dict[str, None], type: str, name: str, value: str
) -> None:
    """
    Extension data that has a key of its own.
    """
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    known = XML_FIELDS.get((type, plain))
    if known is None:
        short = plain.removeprefix("nice")
        if short not in NICE_NAMES or (short == plain and type != "nice"):
            return
        known = NICE_NAMES[short], short == "ucid"
    key, isUCID = known
    if not isUCID:
        fields[key] = value
        return
    value = _identifier(value)
    fields.setdefault(key, value)
    ucids[value] = None
    ucids.update(dict.fromkeys(ucidsOf(value)))


def _addCallingParty(
    fields: dict[str, object], document: MetadataDocument, number: int, extension: Extension
) -> None:
    said = extension.fields[0][1] if extension.fields else ""
    if said.lower() != "false":
        participant = document.participants[number]
        name = participant.names[0].aor if participant.names else said
        fields["oracle_calling_party"] = name
        fields["oracle_calling_party_id"] = participant.id


@lru_cache(1024)
def _vendorOfName(namespace: str, name: str) -> Vendor | None:
    for vendor in VENDORS:
        if vendor.namespace and (
            vendor.namespace.fullmatch(namespace) or vendor.namespace.fullmatch("#" + name)
        ):
            return vendor
    return None


def _vendorOf(extension: Extension) -> Vendor | None:
    return _vendorOfName(extension.namespace.strip().lower(), extension.name.lower())


def _detect(index: _Index, documents: Sequence[MetadataDocument]) -> str:
    """
    The recording client's own words first; headers may have passed through it.
    """
    for line in [*index.get("user-agent", ()), *index.get("server", ())]:
        if (type := _vendorOfAgent(line)) is not None:
            return type
    for document in documents:
        for _, _, extension in document.allExtensions():
            if found := _vendorOf(extension):
                return found.type
    if any("av.sip.iptolerance" in contact.lower() for contact in index.get("contact", ())):
        return "avaya"
    names = [name for name in index if name.startswith(_EVIDENCE)]
    for vendor in VENDORS if names else ():
        if any(name.startswith(vendor.evidence) for name in names):
            return vendor.type
    if any(isAvayaUUI(value) for value in _informations(index)):
        return "avaya"
    return _GENERIC


# A few devices send all that comes; a long line may be anything.
def _vendorOfAgent(line: str) -> str | None:
    return _knownAgent(line) if len(line) <= 200 else _knownAgent.__wrapped__(line)


@lru_cache(256)
def _knownAgent(line: str) -> str | None:
    for product in _products(line):
        for vendor in VENDORS:
            if vendor.agent.match(product):
                return vendor.type
    return None


def _products(line: str) -> Iterator[str]:
    """
    @return: the rest of a User-Agent in lower case from each product on: the
        beginning, and each word with a version (RFC 3261 section 20.41).
    """
    line = _COMMENT.sub(" ", line).strip().lower()
    yield line
    for word in line.split()[1:]:
        if "/" in word:
            yield word
