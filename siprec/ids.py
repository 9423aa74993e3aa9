"""
The identifiers that this recorder makes, and the check of the one it is given.
"""

import hashlib
import re
import secrets
import time
from typing import NewType
from uuid import UUID

__all__ = [
    "NodeID",
    "RecordingID",
    "isOurTag",
    "newBranch",
    "newCallID",
    "newRecordingID",
    "newSessionNumber",
    "newTag",
    "nodeID",
]

NodeID = NewType("NodeID", str)
RecordingID = NewType("RecordingID", str)

_TAG = re.compile(r"[0-9a-f]{24}")

_NODE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

# RFC 3261 section 8.1.1.7: a branch that begins with this is unique across
# space and time, so a transaction can be matched by it alone.
_MAGIC_COOKIE = "z9hG4bK"

# When the last recording was named, in the unit of the time in its id.
_named = 0


def nodeID(text: str) -> NodeID:
    """
    Check the name of a node.

    @param text: 1 to 64 of the ASCII letters, digits, dot, underscore and
        hyphen, so that it can stand in keys, addresses and log lines as it is.
    @raise ValueError: it is anything else.
    """
    if not _NODE_ID.fullmatch(text):
        raise ValueError(f"{text!r} is not a node id: 1 to 64 of A-Z a-z 0-9 . _ -")
    return NodeID(text)


def newRecordingID() -> RecordingID:
    """
    Name a new recording.

    @return: a UUID of version 7 (RFC 9562 section 5.7): its text sorts by the
        time it was made.  It owes nothing to what a peer sent, so it is safe
        as a folder's name.
    """
    global _named
    # In 4096ths of a millisecond (section 6.2, method 3), and never the same twice.
    _named = max((time.time_ns() << 12) // 1_000_000, _named + 1)
    milliseconds, fraction = divmod(_named, 1 << 12)
    time_ = milliseconds << 80 | 7 << 76 | fraction << 64
    return RecordingID(str(UUID(int=time_ | 2 << 62 | secrets.randbits(62))))


def newTag() -> str:
    """
    Make a From or To tag: 64 random bits (RFC 3261 section 19.3 asks for 32), and
    what L{isOurTag} knows it by.
    """
    chance = secrets.token_hex(8)
    return chance + _mark(chance)


def isOurTag(tag: str) -> bool:
    """
    @return: whether a node of this kind may have made the tag.  It protects
        nothing: it tells the dialogs that may be another node's from those that
        nobody here can have (RFC 3261 section 12.2.2).
    """
    return bool(_TAG.fullmatch(tag)) and _mark(tag[:16]) == tag[16:]


def _mark(chance: str) -> str:
    return hashlib.sha256(f"siprec {chance}".encode("ascii")).hexdigest()[:8]


def newBranch() -> str:
    """
    Make a Via branch: the cookie of RFC 3261 section 8.1.1.7, then 96 random bits.
    """
    return _MAGIC_COOKIE + secrets.token_hex(12)


def newCallID() -> str:
    """
    Make a Call-ID: 128 random bits, without the host (RFC 3261 section 8.1.1.4
    leaves it out; naming an inner host would tell a peer more than it needs).
    """
    return secrets.token_hex(16)


def newSessionNumber() -> int:
    """
    Make the session id of an SDP C{o=} line (RFC 8866 section 5.2).

    @return: at least 1 and below 2**62, as RFC 3264 section 5 wants it to fit
        a signed 64-bit integer.
    """
    return 1 + secrets.randbelow((1 << 62) - 1)
