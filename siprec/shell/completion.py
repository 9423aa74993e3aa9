"""
What the TAB key offers at a Python prompt.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Mapping
from itertools import takewhile

from siprec.shell.command import Command

__all__ = ["common", "complete"]

# What stands before the cursor: a dotted name, or the text that is the first
# argument of a call.
_NAME = re.compile(r"(?:^|[^\w.'\"])((?:[A-Za-z_]\w*\.)*)([A-Za-z_]\w*)?$")
_ARGUMENT = re.compile(r"(?:^|[^\w.])([A-Za-z_]\w*)\(\s*(['\"])([^'\"]*)$")


def complete(namespace: Mapping[str, object], before: str) -> tuple[str, list[str]]:
    """
    @param before: the line up to the cursor.
    @return: the piece of it that is to be completed, and what it could become,
        in order.  Nothing is called but properties.
    """
    argument = _ARGUMENT.search(before)
    if argument is not None:
        return argument[3], _arguments(namespace.get(argument[1]), argument[2], argument[3])
    name = _NAME.search(before)
    if name is None:
        return "", []
    path, piece = name[1], name[2] or ""
    if not path:
        return piece, _names(namespace, piece)
    return piece, _attributes(namespace, path.rstrip(".").split("."), piece)


def common(candidates: list[str]) -> str:
    """
    @return: what all of them begin with.
    """
    first, last = min(candidates, default=""), max(candidates, default="")
    pairs = zip(first, last, strict=False)
    return "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _arguments(called: object, quote: str, piece: str) -> list[str]:
    if not isinstance(called, Command):
        return []
    return sorted(f"{each}{quote})" for each in called.choices() if each.startswith(piece))


def _names(namespace: Mapping[str, object], piece: str) -> list[str]:
    found = {name: value for name, value in namespace.items() if not name.startswith("__")}
    if piece:
        # All that Python has would bury the commands under an empty line's TAB.
        found = {**vars(builtins), **found}
    return _matching(found, piece)


def _attributes(namespace: Mapping[str, object], path: list[str], piece: str) -> list[str]:
    first, *rest = path
    value = namespace.get(first)
    found = {}
    # What an object does when it is looked at is its own affair.
    try:
        for name in rest:
            value = getattr(value, name)
        for name in dir(value):
            if piece.startswith("_") or not name.startswith("_"):
                found[name] = getattr(value, name, None)
    except Exception:
        return []
    return _matching(found, piece) if first in namespace else []


def _matching(found: Mapping[str, object], piece: str) -> list[str]:
    return sorted(
        f"{name}(" if callable(value) and not isinstance(value, type) else name
        for name, value in found.items()
        if name.startswith(piece)
    )
