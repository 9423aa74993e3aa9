"""
The scripts that a Redis server runs for us, one for each operation.

A script is one atomic step of the server, so that a record, its version, its
owner and its index entries change together.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from hashlib import sha1
from importlib.resources import files

from attrs import field, frozen

__all__ = ["NAMES", "Script", "loadScripts"]

NAMES = (
    "audit",
    "claim",
    "claimfrom",
    "cleanup",
    "delete",
    "exists",
    "extend",
    "get",
    "health",
    "heartbeat",
    "list",
    "nodes",
    "owners",
    "release",
    "replicate",
    "stats",
    "store",
    "update",
)


@frozen
class Script:
    """
    One script.

    @ivar source: what the server compiles.
    @ivar digest: what it is called by from then on: the SHA-1 of C{source}.
    """

    name: str
    source: bytes = field(repr=False)
    digest: bytes = field(init=False, repr=False)

    @digest.default
    def _sha1(self) -> bytes:
        return sha1(self.source, usedforsecurity=False).hexdigest().encode("ascii")


@cache
def loadScripts() -> Mapping[str, Script]:
    """
    @return: all scripts by name, each with what they share in front of it.
    """
    folder = files("siprec.store") / "scripts"
    common = (folder / "common.lua").read_bytes()
    return {name: Script(name, common + (folder / f"{name}.lua").read_bytes()) for name in NAMES}
