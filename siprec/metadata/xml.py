"""
From bytes to an element tree, safely and with every tolerance the field needs.

A document type declaration is refused, entities and the network are off, size
and depth are bounded.  What is not well-formed gets a second, recovering pass:
several recorded clients send unquoted attributes or a bare C{&}.
"""

import codecs
import re
from functools import lru_cache

from attrs import Factory, define, frozen
from lxml import etree

__all__ = ["MAX_BYTES", "MAX_DEPTH", "Tree", "readTree"]

#: Longest document that is looked at; the longest seen is below 20 kB.
MAX_BYTES = 1 << 20
#: Deepest nesting.  libxml2 stops by itself at 256 (2048 in some versions)
#: while it parses, so that 10,000 levels cost no more than that.
MAX_DEPTH = 64

#: Most attributes of an element and most namespace prefixes of a document: the
#: time that lxml takes grows with their square.
MAX_ATTRIBUTES = 256
MAX_PREFIXES = 64

_TOO_DEEP = etree.XPath("boolean(" + "/*" * (MAX_DEPTH + 1) + ")")
_TOO_WIDE = etree.XPath(f"boolean(//*[@*[{MAX_ATTRIBUTES + 1}]])")
_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")
#: Character sets by Python's name for them.  A list, because Python also knows
#: codecs that are slow (punycode) or that can hide markup (utf-7).
_CHARSETS = re.compile(r"utf-(8|16|32)(-[bl]e|-sig)?|ascii|iso8859-\d+|cp\d+|koi8-[rtu]|gb\w+|big5")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

# Each element and attribute repeats its namespace in memory.  Only the recovering
# parser takes a "<" in an attribute.
_LONG_NAMESPACE, _LONG_NAMESPACE_MENDED = (
    re.compile(rb"""xmlns[^\s="']{0,100}\s*=\s*(?:"[^"%b]{512}|'[^'%b]{512})""" % (each, each))
    for each in (b"<", b"")
)
_PREFIX = re.compile(rb"xmlns:([^\s=]{0,100})")

_XML = "{http://www.w3.org/XML/1998/namespace"

_CONTROLS = bytes(set(range(0x20)) - {0x09, 0x0A, 0x0D})
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}".encode()
_AMPERSAND = re.compile(
    rb"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)",
)
_REFERENCE = re.compile(rb"&#(x?)([0-9A-Fa-f]{1,7});")
_ADDRESS = re.compile(rb"""(=\s*["'][^"'<>]*)<((?:sips?|tel):[^"'<>]*)>([^"'<>]*["'])""", re.I)
_TAG = re.compile(rb"<[A-Za-z_][^<>]*>")
_ATTRIBUTE = re.compile(
    rb"""(?<![\w:.-])([\w:.-]++\s*+=\s*+)(?:("[^"]*"|'[^']*')|([^\s"'<>][^\s<>]*?)(?=\s|/?>))""",
)


@frozen
class Tree:
    """
    What could be made of the bytes.

    @ivar root: the root element, or C{None} for a document that is refused.
    @ivar recovered: the document is not well-formed.
    @ivar notes: each leniency; for a refusal the last one is the reason.
    """

    root: etree._Element | None
    recovered: bool = False
    notes: tuple[str, ...] = ()


def readTree(body: bytes, charset: str | None = None) -> Tree:
    """
    Parse a document.  Never raises.

    @param charset: of the MIME part; it overrides the XML declaration (RFC
        7303 section 3), and a byte order mark overrides both.
    """
    if len(body) > MAX_BYTES:
        return Tree(None, notes=(f"longer than {MAX_BYTES} bytes",))
    notes: list[str] = []
    # Some clients leave an empty line, or worse, before the XML declaration.
    data = _utf8(body.lstrip(b" \t\r\n\0"), charset, notes).strip(b" \t\r\n\0")
    if not data:
        return Tree(None, notes=(*notes, "empty"))
    if refusal := _refusal(data, _LONG_NAMESPACE):
        return Tree(None, notes=(*notes, refusal))
    recovered = False
    try:
        root: etree._Element | None = etree.fromstring(data, _STRICT.parser)
    except etree.XMLSyntaxError as error:
        _STRICT.parser = _parser()
        notes.append(f"not well-formed: {error.msg}")
        data = _mend(data)
        if refusal := _refusal(data, _LONG_NAMESPACE_MENDED):
            return Tree(None, notes=(*notes, refusal))
        root, recovered = _recover(data), True
    if root is None:
        return Tree(None, notes=(*notes, "no element can be made out"))
    if (recovered or data.count(b"</") >= MAX_DEPTH) and _TOO_DEEP(root):
        return Tree(None, notes=(*notes, f"more than {MAX_DEPTH} levels deep"))
    if data.count(b"=") > MAX_ATTRIBUTES and _TOO_WIDE(root):
        return Tree(None, notes=(*notes, f"more than {MAX_ATTRIBUTES} attributes"))
    if recovered:
        _tidy(root)
    return Tree(root, recovered, tuple(notes))


def _parser(recover: bool = False) -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8",
        recover=recover,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


@define(eq=False, repr=False)
class _Strict:
    """
    The parser of well-formed documents.  Its error log would go on into the next one, so
    each document that is not well-formed has had the last word with it.
    """

    parser: etree.XMLParser = Factory(_parser)


_STRICT = _Strict()


def _utf8(data: bytes, charset: str | None, notes: list[str]) -> bytes:
    """
    The document in UTF-8, without a byte order mark.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            return _transcode(data, name, notes).removeprefix(codecs.BOM_UTF8)
    declared = charset
    if not declared and (found := _DECLARED.match(data)):
        declared = found[1].decode("ascii")
        if declared.lower().startswith(("utf-16", "utf-32", "ucs")):
            # The declaration could be read as ASCII, so it cannot be true.
            declared = None
    return _transcode(data, declared or "utf-8", notes)


@lru_cache(64)
def _codec(charset: str) -> str | None:
    """
    @return: Python's name of a character set, or C{None} if it is not taken.
    """
    try:
        name = codecs.lookup(charset.strip().strip("\"'")).name
    except (LookupError, ValueError):
        return None
    return name if _CHARSETS.fullmatch(name) else None


def _transcode(data: bytes, charset: str, notes: list[str]) -> bytes:
    name = _codec(charset)
    if name is None:
        notes.append(f"unknown charset {charset[:40]!r}")
        name = "utf-8"
    if name == "utf-8" and data.isascii():
        return data
    try:
        text = data.decode(name)
    except UnicodeDecodeError:
        notes.append(f"not valid {name}: read as latin-1")
        text = data.decode("latin-1")
    # No charset of the list decodes to a lone surrogate: this cannot fail.
    return text.encode("utf-8")


def _refusal(data: bytes, longNamespace: re.Pattern[bytes]) -> str | None:
    """
    @return: why this must not even be parsed.
    """
    if _declaresDTD(data):
        return "document type declaration"
    if longNamespace.search(data):
        return "namespace name longer than 512 bytes"
    if data.count(b"xmlns:") > MAX_PREFIXES and len(set(_PREFIX.findall(data))) > MAX_PREFIXES:
        return f"more than {MAX_PREFIXES} namespace prefixes"
    return None


def _declaresDTD(data: bytes) -> bool:
    """
    Is there a document type declaration?  It can only stand before the root
    element, among white space, comments and processing instructions.
    """
    at = 0
    while True:
        while data[at : at + 1].isspace():
            at += 1
        for opening, closing in ((b"<?", b"?>"), (b"<!--", b"-->")):
            if data.startswith(opening, at):
                end = data.find(closing, at + len(opening))
                if end < 0:
                    return False
                at = end + len(closing)
                break
        else:
            return data[at : at + 9].upper() == b"<!DOCTYPE"


def _recover(data: bytes) -> etree._Element | None:
    for recover in (False, True):
        try:
            return etree.fromstring(data, _parser(recover))
        except etree.XMLSyntaxError:
            continue
    return None


def _tidy(root: etree._Element) -> None:
    """
    The recovered tree has what cannot be written out again: names with prefixes
    that nobody declared, namespaces that are no URIs, and attributes that come
    twice.  Rename the former and keep the first of the latter.
    """
    for element in root.iter(etree.Element):
        tag = str(element.tag)
        if (better := _tidied(tag)) != tag:
            element.tag = better
        attributes: dict[str, str] = {}
        given = element.items()
        for name, value in given:
            attributes.setdefault(_tidied(str(name)), str(value))
        if list(attributes) != [name for name, _ in given]:
            element.attrib.clear()
            for name, value in attributes.items():
                element.set(name, value)
    etree.cleanup_namespaces(root)


def _tidied(name: str) -> str:
    namespace, _, local = name.rpartition("}")
    prefix, colon, local = local.rpartition(":")
    if colon:
        # The parser lets more names pass than may be written.
        local = re.sub(r"[^\w.-]", "", local).lstrip("-.0123456789") or "_"
        return f"{{urn:undeclared:{_plain(prefix)}}}{local}"
    if namespace and namespace != _XML and not _isURI(namespace[1:]):
        return f"{{urn:undeclared:{_plain(namespace)}}}{local}"
    return name


def _plain(text: str) -> str:
    return re.sub("[^A-Za-z0-9]+", "-", text)[:100]


@lru_cache(256)
def _isURI(namespace: str) -> bool:
    probe = etree.Element("a")
    probe.set("xmlns", namespace)
    try:
        etree.fromstring(etree.tostring(probe))
    except etree.XMLSyntaxError:
        return False
    return True


def _mend(data: bytes) -> bytes:
    """
    For the second pass: mend what is known to be broken in the field, so that
    nothing of it is lost; the rest is left to libxml2's own recovery.
    """
    data = data[max(data.find(b"<"), 0) :].translate(None, _CONTROLS)
    for noCharacter in (b"\xef\xbf\xbe", b"\xef\xbf\xbf"):
        data = data.replace(noCharacter, _REPLACEMENT)
    mended: list[bytes] = []
    while data:
        before, opening, rest = data.partition(b"<![CDATA[")
        before = _REFERENCE.sub(_mendReference, _AMPERSAND.sub(b"&amp;", before))
        before = _ADDRESS.sub(rb"\1&lt;\2&gt;\3", before)
        mended.append(_TAG.sub(_mendTag, before))
        section, closing, data = rest.partition(b"]]>")
        if opening and not closing:
            # Never closed: no section at all, but a broken piece of text.
            mended.append(_AMPERSAND.sub(b"&amp;", section).replace(b"&#", b"&amp;#"))
            break
        mended.append(opening + section + closing)
    return b"".join(mended)


def _mendReference(reference: re.Match[bytes]) -> bytes:
    """
    A reference to what is no character makes libxml2 build text that cannot be
    decoded.
    """
    base = 16 if reference[1] else 10
    code = int(reference[2], base) if base == 16 or reference[2].isdigit() else 0
    if code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0x10FFFF:
        return reference[0]
    return _REPLACEMENT


def _mendTag(tag: re.Match[bytes]) -> bytes:
    return _ATTRIBUTE.sub(_mendAttribute, tag[0])


def _mendAttribute(attribute: re.Match[bytes]) -> bytes:
    name, quoted, bare = attribute.groups()
    if quoted is not None:
        return attribute[0]
    return bytes(name) + b'"' + bytes(bare).replace(b'"', b"&quot;") + b'"'
