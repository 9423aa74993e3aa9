"""
Addresses of Redis servers, as an operator writes them.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote

from attrs import evolve, field, frozen

__all__ = ["BadRedisURL", "RedisURL", "parseRedisURL", "withPasswordFile"]

PORT = 6379
SENTINEL_PORT = 26379
_SCHEMES = {
    "redis": "redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]",
    "rediss": "rediss://[USER:PASSWORD@]HOST[:PORT][/DATABASE][?ca=FILE]",
    "unix": "unix:///PATH[?db=DATABASE]",
    "redis+sentinel": "redis+sentinel://[USER:PASSWORD@]HOST[:PORT][,HOST...]/MASTER[/DATABASE]",
    "rediss+sentinel": "rediss+sentinel://[USER:PASSWORD@]HOST[:PORT][,HOST...]/MASTER[/DATABASE]",
}
_TLS_OPTIONS = frozenset({"ca", "cert", "key"})
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::(\d{1,5}))?", re.ASCII)
_NUMBER = re.compile(r"\d{1,4}", re.ASCII)


class BadRedisURL(ValueError):
    """
    A text is not the address of a Redis server.  The message says what was
    expected, and never repeats the text, which may hold a password.
    """


@frozen
class RedisURL:
    """
    Where a Redis server is and how to get in.

    @ivar hosts: host (an IPv6 address without brackets) and port: of the
        server, or of each Sentinel; empty if there is a C{path}.
    @ivar path: the Unix socket.
    @ivar master: what the Sentinels call the server; C{None} without Sentinels.
    @ivar user: of the server's access list; C{None}: the default one.
    @ivar ca: file of the certificates to trust; C{None}: those of the system.
    @ivar cert: file of our own certificate chain, and C{key} of its key.
    """

    hosts: tuple[tuple[str, int], ...] = ()
    path: str | None = None
    master: str | None = None
    database: int = 0
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def __str__(self) -> str:
        """
        The address for people: without the password.
        """
        who = f"{quote(self.user)}@" if self.user else ""
        if self.path is not None:
            return f"unix://{who}{self.path}?db={self.database}"
        where = ",".join(
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts
        )
        scheme = ("rediss" if self.tls else "redis") + ("+sentinel" if self.master else "")
        master = f"/{quote(self.master)}" if self.master else ""
        return f"{scheme}://{who}{where}{master}/{self.database}"


def parseRedisURL(text: str) -> RedisURL:
    """
    Read an address: C{redis:}, C{rediss:} (TLS), C{unix:} or
    C{redis+sentinel:}.  User, password and path may have C{%} escapes.

    @raise BadRedisURL: it is not one.
    """
    # Not by urlsplit: it takes control characters away in silence and has its
    # own mind about several hosts in brackets.
    scheme, separator, rest = text.partition("://")
    if scheme not in _SCHEMES or not separator:
        raise BadRedisURL(" or ".join(_SCHEMES.values()))
    if "#" in rest:
        raise BadRedisURL(f"{_SCHEMES[scheme]}, a # written as %23")
    rest, question, query = rest.partition("?")
    network, slash, path = rest.partition("/")
    try:
        options = dict(parse_qsl(query, strict_parsing=True)) if question else {}
    except ValueError:
        raise BadRedisURL(_SCHEMES[scheme]) from None
    credentials, at, where = network.rpartition("@")
    user, colon, password = credentials.partition(":")
    url = RedisURL(user=unquote(user) or None, password=unquote(password) if colon else None)
    if at and not colon:
        raise BadRedisURL("USER:PASSWORD before the @ (the user may be empty), or nothing")
    if scheme == "unix":
        return _unix(url, where, unquote(slash + path), options)
    return _network(url, scheme, where, path, options)


def withPasswordFile(url: RedisURL, path: str) -> RedisURL:
    """
    Take the password from a file: its only line; or, of two lines, the first
    is the user and the second the password.

    @raise BadRedisURL: the file does not have that form.
    @raise OSError: it cannot be read.
    """
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    if len(lines) == 1 and lines[0]:
        return evolve(url, password=lines[0])
    if len(lines) == 2 and all(lines):
        return evolve(url, user=lines[0], password=lines[1])
    raise BadRedisURL("a file of one line, the password, or of two, the user and the password")


def _unix(url: RedisURL, host: str, path: str, options: dict[str, str]) -> RedisURL:
    if host or len(path) < 2 or "\0" in path:
        raise BadRedisURL(_SCHEMES["unix"])
    database = _database(options.pop("db", "0"), "unix")
    _refuse(options, "unix")
    return evolve(url, path=path, database=database)


def _network(
    url: RedisURL, scheme: str, where: str, path: str, options: dict[str, str]
) -> RedisURL:
    tls, sentinel = scheme.startswith("rediss"), scheme.endswith("+sentinel")
    files = {name: options.pop(name) for name in _TLS_OPTIONS & set(options)} if tls else {}
    _refuse(options, scheme)
    if ("cert" in files) != ("key" in files):
        raise BadRedisURL("both cert=FILE and key=FILE, or neither")
    names = where.split(",")
    if not sentinel and len(names) > 1:
        raise BadRedisURL(f"one host; several are Sentinels: {_SCHEMES['redis+sentinel']}")
    hosts = tuple(_host(name, scheme, SENTINEL_PORT if sentinel else PORT) for name in names)
    pieces = path.split("/") if path else []
    master = unquote(pieces.pop(0)) if sentinel and pieces else None
    if (sentinel and not master) or len(pieces) > 1:
        raise BadRedisURL(_SCHEMES[scheme])
    database = _database(pieces[0] if pieces else "0", scheme)
    return evolve(url, hosts=hosts, master=master, database=database, tls=tls, **files)


def _host(text: str, scheme: str, default: int) -> tuple[str, int]:
    match = _HOST.fullmatch(text)
    port = int(match[2] or default) if match else 0
    if match is None or not 0 < port <= 65535:
        raise BadRedisURL(_SCHEMES[scheme])
    return match[1].strip("[]"), port


def _database(text: str, scheme: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise BadRedisURL(f"a number as DATABASE in {_SCHEMES[scheme]}")
    return int(text)


def _refuse(options: dict[str, str], scheme: str) -> None:
    if options:
        raise BadRedisURL(f"no option {', '.join(sorted(options))}: {_SCHEMES[scheme]}")
