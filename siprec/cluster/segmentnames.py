"""
Names of the files of a recording that nodes may have of one another.
"""

from __future__ import annotations

import re

__all__ = ["isOffered", "segmentOf"]

_JOURNAL = re.compile(r"([1-9][0-9]{0,3})-[0-9]{1,3}\.rtpdump", re.ASCII)
_DOCUMENT = re.compile(r"metadata-[1-9][0-9]{0,5}\.xml", re.ASCII)


def isOffered(name: object) -> bool:
    """
    @return: whether this is the name of a journal or a metadata document; nothing
        else is given to other nodes, or taken from them.
    """
    return isinstance(name, str) and bool(_JOURNAL.fullmatch(name) or _DOCUMENT.fullmatch(name))


def segmentOf(name: str) -> int | None:
    """
    @return: the number of the segment, from 1, that a journal belongs to; C{None}:
        it is none.
    """
    match = _JOURNAL.fullmatch(name)
    return None if match is None else int(match[1])
