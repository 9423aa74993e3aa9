"""
The arithmetic of HTTP digest as SIP uses it (RFC 7616, RFC 8760): headers in,
values out.
"""

from __future__ import annotations

import hashlib
import re

from attrs import frozen

from siprec.sip.errors import BadHeader
from siprec.sip.headers import quote, splitCommas, unquote

__all__ = [
    "ALGORITHMS",
    "BadDigestFile",
    "Credentials",
    "Users",
    "challenge",
    "hashed",
    "parseCredentials",
    "parseUsers",
]

#: By strength, the best first (RFC 8760 section 2.4): name in SIP, name in hashlib.
ALGORITHMS = {"SHA-512-256": "sha512_256", "SHA-256": "sha256", "MD5": "md5"}

#: HA1 in lower case, by user, realm and algorithm.
Users = dict[tuple[str, str, str], str]

_SCHEME = re.compile(r"[ \t]*+digest[ \t]++", re.I)
_FIELD = re.compile(r"([A-Za-z0-9*_-]++)[ \t]*+=[ \t]*+(.*)", re.S)
_COUNT = re.compile(r"[0-9A-Fa-f]{8}")
_NEEDED = ("username", "realm", "nonce", "uri", "response", "cnonce", "nc", "qop")


class BadDigestFile(ValueError):
    """
    A file of users cannot be used.

    @ivar line: the number of the line, from 1.
    """

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}")
        self.line = line


@frozen
class Credentials:
    """
    One Authorization header with C{qop=auth}.

    @ivar algorithm: as in L{ALGORITHMS}, or whatever the peer wrote.
    @ivar count: the nonce count; C{nc} as it was written.
    """

    user: str
    realm: str
    nonce: str
    uri: str
    response: str
    cnonce: str
    nc: str
    algorithm: str

    @property
    def count(self) -> int:
        return int(self.nc, 16)

    def expected(self, ha1: str, method: str) -> str:
        """
        @param ha1: of the user; the algorithm must be one of L{ALGORITHMS}.
        @return: what the response should be (RFC 7616 section 3.4.1).
        """
        ha2 = hashed(self.algorithm, f"{method}:{self.uri}")
        text = f"{ha1}:{self.nonce}:{self.nc}:{self.cnonce}:auth:{ha2}"
        return hashed(self.algorithm, text)


def hashed(algorithm: str, text: str) -> str:
    """
    @param algorithm: one of L{ALGORITHMS}.
    @return: the hash in hexadecimal.
    """
    found = hashlib.new(ALGORITHMS[algorithm], usedforsecurity=False)
    found.update(text.encode("utf-8", "surrogateescape"))
    return found.hexdigest()


def challenge(realm: str, nonce: str, algorithm: str, stale: bool) -> str:
    """
    @return: a value for WWW-Authenticate.
    """
    text = f'Digest realm={quote(realm)}, nonce="{nonce}", qop="auth", algorithm={algorithm}'
    return f"{text}, stale=true" if stale else text


def parseCredentials(text: str) -> Credentials:
    """
    @param text: a value of Authorization.
    @raise BadHeader: it is not of Digest, or not with C{qop=auth}: without
        that a nonce could be used again and again.
    """
    scheme = _SCHEME.match(text)
    if scheme is None:
        raise BadHeader("not Digest")
    fields: dict[str, str] = {}
    for piece in splitCommas(text[scheme.end() :]):
        match = _FIELD.fullmatch(piece)
        if match is None or match[1].lower() in fields:
            raise BadHeader("digest parameters cannot be read")
        fields[match[1].lower()] = unquote(match[2].strip())
    for name in _NEEDED:
        if not fields.get(name):
            raise BadHeader(f"no {name}")
    if fields["qop"].lower() != "auth" or not _COUNT.fullmatch(fields["nc"]):
        raise BadHeader("not qop=auth with a count")
    return Credentials(
        user=fields["username"],
        realm=fields["realm"],
        nonce=fields["nonce"],
        uri=fields["uri"],
        response=fields["response"].lower(),
        cnonce=fields["cnonce"],
        nc=fields["nc"],
        algorithm=fields.get("algorithm", "MD5").upper(),
    )


def parseUsers(text: str) -> Users:
    """
    Read a file of users: lines of C{user:realm:algorithm:HA1}; empty ones and
    those that begin with C{#} are passed over.

    @raise BadDigestFile: a line is something else.
    """
    users: Users = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        parts = line.split(":")
        if len(parts) != 4 or not parts[0]:
            raise BadDigestFile(number, "expected user:realm:algorithm:HA1")
        user, realm, algorithm, ha1 = parts
        algorithm = algorithm.upper()
        if algorithm not in ALGORITHMS:
            raise BadDigestFile(number, f"expected an algorithm of {', '.join(ALGORITHMS)}")
        digits = len(hashed(algorithm, ""))
        # The line is a secret, so the error must not show it.
        if not re.fullmatch(rf"[0-9A-Fa-f]{{{digits}}}", ha1):
            raise BadDigestFile(number, f"expected an HA1 of {digits} hexadecimal digits")
        if (user, realm, algorithm) in users:
            raise BadDigestFile(number, "this user, realm and algorithm is there already")
        users[user, realm, algorithm] = ha1.lower()
    return users
