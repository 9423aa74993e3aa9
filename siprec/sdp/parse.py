"""
A tolerant parser of session descriptions (RFC 8866).

The grammar of RFC 8866 is strict and what recording clients send is not, so the parser
repairs what it can, notes each repair and gives up only where there is no media line to
answer, or where a description is far larger than any real one.  It visits every line once.
"""

import re
from ipaddress import ip_address

from attrs import Factory, define

from siprec.sdp.model import Connection, Media, Origin, SessionDescription, boundedNumber

#: Longest description that is read, in bytes, and most media lines in one: a real
#: one is far below, and each costs time.
MAX_BYTES, MAX_MEDIA = 65536, 128

# Notes are for a person's eyes: a body made of nothing but errors need not fill a log.
MAX_WARNINGS = 50

# str.split() would also split at characters such as U+0085 that may stand in a label.
_BLANKS = re.compile("[ \t]+")
_LINE_ENDS = re.compile("\r\n|\n|\r")
_LIKE_KEYS = re.compile("[A-Za-z0-9+/=]{16,}")
_NO_ORIGIN = ("-", "0", "0", "IN", "IP4", "0.0.0.0")


class BadSDP(Exception):
    """
    A body holds no media line at all, so there is nothing to answer (RFC 3264 section 6),
    or more than anybody sends.

    @ivar why: what was missed, for the Warning header of the refusal.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def _numberOrText(text: str) -> int | str:
    number = boundedNumber(text, 10**20)
    return number if number is not None and str(number) == text else text


@define(eq=False, repr=False)
class _Section:
    """
    A media section while its lines come in.
    """

    kind: str
    port: int
    portCount: int
    protocol: str
    formats: tuple[str, ...]
    connection: Connection | None = None
    attributes: list[tuple[str, str | None]] = Factory(list)
    bandwidths: list[str] = Factory(list)

    def finish(self) -> Media:
        return Media(
            self.kind,
            self.port,
            self.protocol,
            self.formats,
            self.connection,
            tuple(self.attributes),
            self.portCount,
            tuple(self.bandwidths),
        )


@define(eq=False, repr=False)
class _Parser:
    """
    Takes the lines of one description in order.
    """

    origin: Origin | None = None
    name: str = "-"
    connection: Connection | None = None
    attributes: list[tuple[str, str | None]] = Factory(list)
    timing: list[str] = Factory(list)
    bandwidths: list[str] = Factory(list)
    sections: list[_Section] = Factory(list)
    warnings: list[str] = Factory(list)

    def warn(self, why: str, sample: str = "") -> None:
        if len(self.warnings) < MAX_WARNINGS:
            # It may be a piece of a C{a=crypto} that is broken over lines.
            sample = _LIKE_KEYS.sub("*", sample)
            self.warnings.append(f"{why}: {sample[:60]!r}" if sample else why)

    def line(self, kind: str, value: str) -> None:
        """
        Take one line.  C{i=}, C{k=}, C{r=} and the like mean nothing to a recorder.
        """
        if kind == "m":
            if len(self.sections) == MAX_MEDIA:
                raise BadSDP(f"more than {MAX_MEDIA} media lines")
            self.sections.append(self._section(value))
        elif kind == "a" and value:
            name, colon, text = value.partition(":")
            section = self.sections[-1] if self.sections else self
            section.attributes.append((name.strip(" \t"), text.strip(" \t") if colon else None))
        elif kind == "c":
            self._connection(value)
        elif kind == "o" and self.origin is None:
            self.origin = self._origin(value)
        elif kind == "s" and not self.sections:
            self.name = value or "-"
        elif kind == "t" and value:
            self.timing.append(value)
        elif kind == "b" and value:
            (self.sections[-1] if self.sections else self).bandwidths.append(value)

    def _section(self, value: str) -> _Section:
        tokens = _BLANKS.split(value)
        kind = tokens[0] or "audio"
        portText, slash, countText = (tokens[1] if len(tokens) > 1 else "").partition("/")
        port, count = (
            boundedNumber(portText, 65535),
            boundedNumber(countText, 65535) if slash else 1,
        )
        if port is None or len(tokens) < 3:
            # The line keeps its place, because answers go by position, but is unusable.
            self.warn("unusable m= line", value)
        elif len(tokens) < 4:
            self.warn("m= line without formats", value)
        protocol = tokens[2] if len(tokens) > 2 else "RTP/AVP"
        return _Section(kind, port or 0, count or 1, protocol, tuple(tokens[3:]))

    def _connection(self, value: str) -> None:
        owner = self.sections[-1] if self.sections else self
        tokens = _BLANKS.split(value)
        family = tokens[1].upper() if len(tokens) > 2 else ""
        if family not in ("IP4", "IP6"):
            self.warn("c= line ignored", value)
        elif owner.connection is not None:
            self.warn("further c= line ignored", value)
        else:
            # A multicast address carries its TTL and count after slashes.
            owner.connection = Connection(family, tokens[2].partition("/")[0])
            self._checkFamily(owner, owner.connection)

    def _checkFamily(self, owner: "_Section | _Parser", connection: Connection) -> None:
        try:
            family = f"IP{ip_address(connection.address).version}"
        except ValueError:
            return
        if family != connection.family:
            self.warn(f"c= line says {connection.family}", connection.address)
            owner.connection = Connection(family, connection.address)

    def _origin(self, value: str) -> Origin:
        tokens = _BLANKS.split(value)
        if len(tokens) != 6:
            self.warn("unusual o= line", value)
        tokens += _NO_ORIGIN[len(tokens) :]
        # A user name with blanks is the usual way to get too many: count from the end.
        first, last = tokens[:-5], tokens[-5:]
        return Origin(
            "_".join(first) or "-",
            _numberOrText(last[0]),
            _numberOrText(last[1]),
            last[3],
            last[4],
        )


def parseSDP(data: bytes) -> SessionDescription:
    """
    Parse a session description as tolerantly as RFC 3264 can still be followed.

    @param data: the body; lines may end in CRLF, LF or CR, the last in nothing.  Bytes
        that are not UTF-8 survive into C{serialize()}.
    @return: the description, with each repair in C{warnings}.  A media line that cannot
        be used keeps its place, with port 0.
    @raise BadSDP: there is no media line, or it is larger than L{MAX_BYTES} and
        L{MAX_MEDIA} say.
    """
    if len(data) > MAX_BYTES:
        raise BadSDP(f"longer than {MAX_BYTES} bytes")
    parser = _Parser()
    text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    started = False
    for raw in _LINE_ENDS.split(text):
        line = raw.strip(" \t")
        kind, equals, value = line[:1], line[1:2], line[2:].strip(" \t")
        if not line:
            continue
        if equals != "=":
            parser.warn("not a line of SDP", line)
        elif kind == "v":
            if started or parser.sections:
                parser.warn("a second description in the same body is ignored")
                break
            started = True
        else:
            parser.line(kind, value)
    if not parser.sections:
        raise BadSDP("no media line (m=) in the session description")
    if parser.origin is None:
        parser.warn("no o= line")
    return SessionDescription(
        origin=parser.origin or Origin("-", 0, 0, "IP4", "0.0.0.0"),
        media=tuple(section.finish() for section in parser.sections),
        name=parser.name,
        connection=parser.connection,
        attributes=tuple(parser.attributes),
        timing=tuple(parser.timing) or ("0 0",),
        warnings=tuple(parser.warnings),
        bandwidths=tuple(parser.bandwidths),
    )
