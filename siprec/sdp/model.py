"""
Session descriptions (RFC 8866) as values, with a strict writer; C{parse} reads them.

Each lookup costs the same however long a description is, so that walking over all the
media lines of a hostile one stays linear.
"""

import re
from collections.abc import Iterable
from functools import cached_property, lru_cache
from ipaddress import ip_address

from attrs import Factory, field, frozen

Attributes = tuple[tuple[str, str | None], ...]

_SECRET = re.compile("crypto|key-mgmt|ice-pwd", re.IGNORECASE)

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")

# Payload types with a fixed meaning: RFC 3551 tables 4 and 5.  19 was comfort noise in
# the drafts before RFC 3389 and gateways still offer it without an rtpmap.
STATIC_CODECS: dict[int, tuple[str, int, int]] = {
    0: ("PCMU", 8000, 1),
    3: ("GSM", 8000, 1),
    4: ("G723", 8000, 1),
    5: ("DVI4", 8000, 1),
    6: ("DVI4", 16000, 1),
    7: ("LPC", 8000, 1),
    8: ("PCMA", 8000, 1),
    9: ("G722", 8000, 1),
    10: ("L16", 44100, 2),
    11: ("L16", 44100, 1),
    12: ("QCELP", 8000, 1),
    13: ("CN", 8000, 1),
    14: ("MPA", 90000, 1),
    15: ("G728", 8000, 1),
    16: ("DVI4", 11025, 1),
    17: ("DVI4", 22050, 1),
    18: ("G729", 8000, 1),
    19: ("CN", 8000, 1),
    25: ("CelB", 90000, 1),
    26: ("JPEG", 90000, 1),
    28: ("nv", 90000, 1),
    31: ("H261", 90000, 1),
    32: ("MPV", 90000, 1),
    33: ("MP2T", 90000, 1),
    34: ("H263", 90000, 1),
}

_RTPMAP = re.compile(r"([0-9]{1,3})[ \t]+([^/ \t]+)[ \t]*/[ \t]*([0-9]{1,9})(?:/([0-9]{1,3}))?")


# A description is asked several times, and peers have few addresses.
@lru_cache(maxsize=256)
def _isUnspecified(address: str) -> bool:
    try:
        return ip_address(address).is_unspecified
    except ValueError:
        return False


@frozen
class Connection:
    """
    A C{c=} line (RFC 8866 section 5.7), without a multicast TTL.

    @ivar family: C{"IP4"} or C{"IP6"}.
    @ivar address: an IP literal, or a host name as received.
    """

    family: str
    address: str

    def __str__(self) -> str:
        return f"IN {self.family} {self.address}"

    @property
    def null(self) -> bool:
        """
        Whether this is the address that RFC 2543 used for hold (RFC 3264 section 8.4).
        """
        return _isUnspecified(self.address)

    @classmethod
    def to(cls, host: str) -> "Connection":
        """
        @param host: an IP literal or a host name.
        @return: the connection to C{host}; host names count as IP4.
        """
        return cls("IP6" if ":" in host else "IP4", host)


@frozen
class Origin:
    """
    An C{o=} line (RFC 8866 section 5.2).

    @ivar sessionID: a number, or the text as received where it is not a plain number.
    @ivar version: like C{sessionID}.
    """

    username: str
    sessionID: int | str
    version: int | str
    family: str
    address: str

    def __str__(self) -> str:
        return f"{self.username} {self.sessionID} {self.version} IN {self.family} {self.address}"


@frozen
class Codec:
    """
    What one payload type of a media line stands for.

    @ivar payloadType: 0 to 127.
    @ivar name: the encoding name as received (C{"pcmu"} and C{"PCMU"} are the same).
    @ivar clockRate: of the RTP timestamp, in Hz.
    @ivar channels: how many audio channels the payload carries.
    @ivar fmtp: its C{a=fmtp} parameters as received.
    """

    payloadType: int
    name: str
    clockRate: int
    channels: int = 1
    fmtp: str | None = None

    @property
    def encoding(self) -> str:
        """
        The encoding name for comparisons: lower case (RFC 4855 section 3).
        """
        return self.name.lower()

    @property
    def rtpmap(self) -> str:
        """
        The value of this codec's C{a=rtpmap} (RFC 8866 section 6.6).
        """
        channels = f"/{self.channels}" if self.channels > 1 else ""
        return f"{self.payloadType} {self.name}/{self.clockRate}{channels}"


def _shown(attributes: Attributes) -> str:
    """
    @return: the attributes for a person to read, without the keys that are in some.
    """
    return repr(tuple((name, "*" if _SECRET.match(name) else value) for name, value in attributes))


def _index(attributes: Attributes) -> dict[str, str | None]:
    """
    @return: the first value of each attribute, by lower-case name.
    """
    found: dict[str, str | None] = {}
    for name, value in attributes:
        found.setdefault(name.lower(), value)
    return found


def _direction(attributes: Attributes) -> str | None:
    """
    @return: the first direction attribute, or C{None}.
    """
    for name, _ in attributes:
        if name.lower() in DIRECTIONS:
            return name.lower()
    return None


@frozen
class Media:
    """
    An C{m=} line with what belongs to it (RFC 8866 section 5.14).

    @ivar kind: the media type as received (C{"audio"}).
    @ivar port: 0 to 65535; 0 where the line is refused, removed or unusable.
    @ivar portCount: 2 for C{port/2}.
    @ivar formats: the formats as received; may be empty, though RFC 8866 forbids it.
    @ivar connection: this line's own C{c=}, or C{None} where the session's applies.
    @ivar bandwidths: the values of its C{b=} lines.
    """

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    connection: Connection | None = None
    attributes: Attributes = field(default=(), repr=_shown)
    portCount: int = 1
    bandwidths: tuple[str, ...] = ()
    _values: dict[str, str | None] = field(
        init=False,
        eq=False,
        repr=False,
        default=Factory(lambda self: _index(self.attributes), takes_self=True),
    )

    def attribute(self, name: str) -> str | None:
        """
        @param name: an attribute's name in lower case.
        @return: the value of the first such attribute: C{None} if it is absent and C{""}
            if it has no value.
        """
        value = self._values.get(name, None)
        return "" if value is None and name in self._values else value

    @property
    def label(self) -> str | None:
        """
        The C{a=label} (RFC 4574) that metadata refers to; C{None} if absent or empty.
        """
        return self.attribute("label") or None

    @property
    def direction(self) -> str | None:
        """
        This line's own direction attribute; C{None} where the session's applies.
        """
        return _direction(self.attributes)

    @property
    def codecs(self) -> tuple[Codec, ...]:
        """
        The payload types in order of preference, static ones filled in from RFC 3551.
        A dynamic one without a usable C{a=rtpmap} has no meaning and is left out.
        """
        maps: dict[int, tuple[str, int, int]] = {}
        parameters: dict[str, str] = {}
        for name, value in self.attributes:
            if name.lower() == "rtpmap" and (match := _RTPMAP.match(value or "")):
                payloadType, encoding, rate, channels = match.groups()
                if int(rate):
                    maps.setdefault(
                        int(payloadType), (encoding, int(rate), int(channels or 1) or 1)
                    )
            elif name.lower() == "fmtp":
                payloadType, _, text = (value or "").partition(" ")
                parameters.setdefault(payloadType, text.strip(" \t"))
        found: dict[int, Codec] = {}
        for text in self.formats:
            number = boundedNumber(text, 127)
            if number is None or number in found:
                continue
            meaning = maps.get(number) or STATIC_CODECS.get(number)
            if meaning is not None:
                found[number] = Codec(number, *meaning, parameters.get(text) or None)
        return tuple(found.values())


@frozen
class SessionDescription:
    """
    A session description (RFC 8866).

    @ivar timing: the values of the C{t=} lines.
    @ivar bandwidths: those of the C{b=} lines of the session.
    @ivar warnings: what the parser had to repair, for a person to read.
    """

    origin: Origin
    media: tuple[Media, ...]
    name: str = "-"
    connection: Connection | None = None
    attributes: Attributes = field(default=(), repr=_shown)
    timing: tuple[str, ...] = ("0 0",)
    warnings: tuple[str, ...] = field(default=(), eq=False)
    bandwidths: tuple[str, ...] = ()
    _inherited: str = field(
        init=False,
        eq=False,
        repr=False,
        default=Factory(lambda self: _direction(self.attributes) or "sendrecv", takes_self=True),
    )

    def direction(self, index: int) -> str:
        """
        @return: the direction of the media line C{index}: its own, else the session's,
            else C{"sendrecv"} (RFC 8866 section 6.7).
        """
        return self.media[index].direction or self._inherited

    def address(self, index: int) -> Connection | None:
        """
        @return: where the media line C{index} is received; C{None} if nothing says so.
        """
        return self.media[index].connection or self.connection

    def bandwidth(self, index: int, kind: str) -> int | None:
        """
        @param kind: in upper case: C{AS} (RFC 8866 section 5.8), C{RR} or C{RS} (RFC 3556).
        @return: what is said of the media line C{index}, else of the session; C{None} if
            nothing is.
        """
        for value in (*self.media[index].bandwidths, *self.bandwidths):
            name, _, number = value.partition(":")
            if name.strip().upper() == kind:
                return boundedNumber(number.strip(), 10**12)
        return None

    def held(self, index: int) -> bool:
        """
        @return: whether the line C{index} is on hold by a null address: nothing may be
            sent to it, neither RTP nor RTCP (RFC 3264 section 8.4).
        """
        address = self.address(index)
        return address is not None and address.null

    def irregularities(self, previous: "SessionDescription") -> tuple[str, ...]:
        """
        Compare with the description that the same peer sent before.  RFC 3264 section 8
        wants the same origin with the version raised by one for each change; in the
        field both happen otherwise, so the content is followed and this is only noted.

        @return: what is odd, for a person to read; empty if nothing is.
        """
        old, new = previous.origin, self.origin
        if old.sessionID != new.sessionID:
            return (f"o= session id changed from {old.sessionID} to {new.sessionID}",)
        if isinstance(old.version, int) and isinstance(new.version, int):
            if new.version < old.version:
                return (f"o= version went back from {old.version} to {new.version}",)
            if new.version == old.version and self != previous:
                return (f"the content changed but o= version stayed {new.version}",)
        return ()

    def serialize(self) -> bytes:
        """
        @return: the description with CRLF line ends, in the order of RFC 8866 section 5.
        """
        # Each save of a call has both sides' descriptions.
        return self._written

    @cached_property
    def _written(self) -> bytes:
        lines = ["v=0", f"o={self.origin}", f"s={self.name or '-'}"]
        if self.connection is not None:
            lines.append(f"c={self.connection}")
        lines.extend(f"b={bandwidth}" for bandwidth in self.bandwidths)
        lines.extend(f"t={timing}" for timing in self.timing)
        lines.extend(_attributeLines(self.attributes))
        for media in self.media:
            count = f"/{media.portCount}" if media.portCount > 1 else ""
            formats = " ".join(media.formats)
            lines.append(f"m={media.kind} {media.port}{count} {media.protocol} {formats}")
            if media.connection is not None:
                lines.append(f"c={media.connection}")
            lines.extend(f"b={bandwidth}" for bandwidth in media.bandwidths)
            lines.extend(_attributeLines(media.attributes))
        return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "surrogateescape")


def _attributeLines(attributes: Attributes) -> Iterable[str]:
    for name, value in attributes:
        yield f"a={name}" if value is None else f"a={name}:{value}"


def boundedNumber(text: str, most: int) -> int | None:
    """
    @return: C{text} as a number of at most C{most}, or C{None} if it is not one.
    """
    # Python refuses to convert thousands of digits, and takes digits of other scripts.
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        return None
    number = int(text)
    return number if number <= most else None
