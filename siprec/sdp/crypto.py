"""
Keys of SRTP in a session description: C{a=crypto} (RFC 4568; the suites of RFC 6188 and
RFC 7714 too).

No key is in the text of any exception, and none is shown by C{repr}.
"""

import base64
import binascii
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence

from attrs import evolve, field, frozen

from siprec.sdp.model import Media

__all__ = [
    "SUITES",
    "BadCrypto",
    "CryptoKey",
    "CryptoLine",
    "chooseCrypto",
    "offeredLines",
    "ownLines",
    "parseCrypto",
    "withOwnKeys",
]

#: Octets of master key and salt together, by suite, in the order in which they are
#: offered (RFC 4568 section 6.2, RFC 6188 section 4.2, RFC 7714 section 14.2).
SUITES: Mapping[str, int] = {
    "AEAD_AES_256_GCM": 44,
    "AEAD_AES_128_GCM": 28,
    "AES_256_CM_HMAC_SHA1_80": 46,
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_256_CM_HMAC_SHA1_32": 46,
    "AES_CM_128_HMAC_SHA1_32": 30,
}

# What drafts of RFC 6188 called them, as some clients still do.
_ALIASES = {
    "AES_CM_256_HMAC_SHA1_80": "AES_256_CM_HMAC_SHA1_80",
    "AES_CM_256_HMAC_SHA1_32": "AES_256_CM_HMAC_SHA1_32",
}

_TAG = re.compile("[0-9]{1,9}", re.ASCII)
_LIFETIME = re.compile(r"2\^([0-9]{1,2})|([0-9]{1,20})", re.ASCII)
_MKI = re.compile("([0-9]{1,39}):([0-9]{1,3})", re.ASCII)
_MOST_PACKETS = 1 << 48  # RFC 3711 section 9.2
_MOST_KEYS, _MOST_MKI, _MOST_LINES = 16, 128, 32


class BadCrypto(ValueError):
    """
    A C{a=crypto} cannot be used.
    """


@frozen
class CryptoKey:
    """
    One master key.

    @ivar key: with its salt.
    @ivar lifetime: packets that it may be used for; C{None}: as many as it can be.
    @ivar mki: the identifier that packets carry; empty: none.
    """

    key: bytes = field(repr=False)
    lifetime: int | None = None
    mki: bytes = b""


@frozen
class CryptoLine:
    """
    One C{a=crypto} that can be used.

    @ivar suite: of L{SUITES}.
    @ivar name: that suite as it was written.
    @ivar keys: those of the peer; empty while it has not said.
    @ivar local: our key and salt; empty while there is none.
    """

    tag: int
    suite: str
    name: str
    keys: tuple[CryptoKey, ...] = ()
    local: bytes = field(default=b"", repr=False)

    def withLocal(self, key: bytes) -> "CryptoLine":
        """
        @return: the same with a key of ours.
        """
        return evolve(self, local=key)

    @property
    def value(self) -> str:
        """
        The attribute's value with our key, for an answer or an offer.
        """
        return f"{self.tag} {self.name} inline:{base64.b64encode(self.local).decode()}"


def parseCrypto(value: str) -> CryptoLine:
    """
    @param value: what stands behind C{a=crypto:}.
    @raise BadCrypto: it is malformed, or asks for what is not done here.
    """
    tokens = value.split()
    if len(tokens) < 3:
        raise BadCrypto("too short")
    tag, name, keys, *parameters = tokens
    if not _TAG.fullmatch(tag):
        raise BadCrypto("bad tag")
    upper = name.upper()
    suite = _ALIASES.get(upper, upper)
    if suite not in SUITES:
        raise BadCrypto("unknown crypto suite")
    for parameter in parameters:
        _checkParameter(parameter)
    found = tuple(_key(each, SUITES[suite]) for each in keys.split(";")[:_MOST_KEYS])
    lengths = {len(each.mki) for each in found}
    if len(lengths) > 1 or (len(found) > 1 and lengths == {0}):
        # Nothing would tell which key a packet is protected with (section 6.1).
        raise BadCrypto("several keys without identifiers of one length")
    return CryptoLine(int(tag), suite, name, found)


def _checkParameter(parameter: str) -> None:
    """
    @raise BadCrypto: the line must not be used if this cannot be followed (RFC 4568
        section 6.3.7): one that begins with a minus sign may be ignored.
    """
    name, _, value = parameter.upper().partition("=")
    harmless = name.startswith("-") or name == "WSH" or (name == "KDR" and value == "0")
    if not harmless and (name, value) != ("FEC_ORDER", "FEC_SRTP"):
        known = re.fullmatch("[A-Z_]{1,24}", name)
        raise BadCrypto(f"session parameter {name if known else 'unknown'} is not supported")


def _key(text: str, octets: int) -> CryptoKey:
    method, _, info = text.partition(":")
    if method.lower() != "inline":
        raise BadCrypto("unknown key method")
    encoded, *more = info.split("|")
    bare = encoded.rstrip("=")
    try:
        # Some clients leave the padding out.
        key = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BadCrypto("the key is not base64") from None
    if len(key) != octets:
        raise BadCrypto("the key has a wrong length")
    lifetime, mki = None, b""
    if more and ":" not in more[0]:
        lifetime = _lifetime(more.pop(0))
    if more:
        mki = _mki(more.pop(0))
    if more:
        raise BadCrypto("bad key parameters")
    return CryptoKey(key, lifetime, mki)


def _lifetime(text: str) -> int:
    match = _LIFETIME.fullmatch(text)
    packets = 0
    if match is not None:
        packets = 1 << int(match[1]) if match[1] else int(match[2])
    if not 0 < packets <= _MOST_PACKETS:
        raise BadCrypto("bad key lifetime")
    return packets


def _mki(text: str) -> bytes:
    match = _MKI.fullmatch(text)
    length = int(match[2]) if match else 0
    if match is None or not 0 < length <= _MOST_MKI or int(match[1]) >> (8 * length):
        raise BadCrypto("bad key identifier")
    return int(match[1]).to_bytes(length, "big")


def ownLines(media: Media) -> tuple[CryptoLine, ...]:
    """
    @param media: a line of a description of ours.
    @return: what it says, each key being one of ours.
    """
    found = []
    for value in _lines(media):
        line = parseCrypto(value)
        found.append(evolve(line, keys=(), local=line.keys[0].key))
    return tuple(found)


def withOwnKeys(lines: Sequence[CryptoLine], before: Media | None) -> tuple[CryptoLine, ...]:
    """
    @param before: what we said last of the same line, or C{None}.
    @return: C{lines}, each with a key of ours: the one that was there for its suite, or a
        new one.
    """
    known = {each.suite: each.local for each in (ownLines(before) if before else ())}
    return tuple(
        each.withLocal(known.get(each.suite) or secrets.token_bytes(SUITES[each.suite]))
        for each in lines
    )


def offeredLines(suites: Iterable[str]) -> tuple[CryptoLine, ...]:
    """
    @return: a line for each suite, for an offer of ours; the keys are still to come.
    """
    return tuple(CryptoLine(tag, suite, suite) for tag, suite in enumerate(suites, 1))


def _lines(media: Media) -> Iterator[str]:
    for name, value in media.attributes:
        if name.lower() == "crypto":
            yield value or ""


def chooseCrypto(media: Media, suites: tuple[str, ...]) -> tuple[CryptoLine | None, str]:
    """
    @param suites: those that may be taken.
    @return: the first C{a=crypto} that can be used, since they stand in the order of
        preference (RFC 4568 section 5.1.2), or C{None} and why there is none.
    """
    why = "no a=crypto"
    for number, value in enumerate(_lines(media)):
        if number >= _MOST_LINES:
            break
        try:
            line = parseCrypto(value)
        except BadCrypto as error:
            why = str(error)
            continue
        if line.suite in suites:
            return line, ""
        why = f"{line.suite} is not taken"
    return None, why
