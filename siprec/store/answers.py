"""
Answers of the scripts in C{scripts/}, as values and as failures.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.logger import Logger

from siprec.ids import NodeID
from siprec.session.model import NodeLease, SessionData
from siprec.store.codec import decode, decodeLease
from siprec.store.errors import (
    CorruptRecord,
    NotOwner,
    SessionDeleted,
    SessionNotFound,
    VersionConflict,
)

__all__ = ["Answer", "checked", "fromBytes", "holder", "leases", "record", "toBytes"]

log = Logger()

#: What a script returned: its kind, and what belongs to it.
Answer = list[Any]


def checked(answer: Answer, key: str, expected: int = 0) -> Answer:
    """
    @return: the answer, if it is not one of those that are failures.
    @raise StoreError: it is.
    """
    kind = answer[0]
    if kind == b"absent":
        raise SessionNotFound(key)
    if kind == b"unreadable":
        raise CorruptRecord(key, answer[1].decode("utf-8", "replace"))
    if kind == b"owner":
        raise NotOwner(key, NodeID(fromBytes(answer[2])), answer[1])
    if kind == b"conflict":
        raise VersionConflict(key, expected, answer[1])
    if kind == b"deleted":
        raise SessionDeleted(key)
    return answer


def record(answer: Answer, key: str) -> SessionData:
    """
    @return: the record that an answer holds.
    @raise CorruptRecord: it cannot be read.
    """
    _, blob, version, epoch, owner, remaining = checked(answer, key)
    data = decode(blob, key)
    if data.sessionID != key:
        raise CorruptRecord(key, "it is the record of another session")
    return evolve(
        data,
        version=version,
        epoch=epoch,
        nodeID=NodeID(fromBytes(owner)),
        remaining=remaining / 1000,
    )


def holder(nodeID: NodeID, instance: bytes, blob: bytes, expires: float) -> NodeLease:
    """
    @return: who holds a lease; where it is that of a newer program, little is
        known of it, but it holds.
    """
    try:
        return evolve(decodeLease(blob), expires=expires)
    except CorruptRecord:
        return NodeLease(nodeID, fromBytes(instance), host="unknown", pid=0, expires=expires)


def leases(answer: Answer) -> list[NodeLease]:
    """
    @return: the leases in an answer; those that cannot be read are logged.
    """
    found = []
    for name, blob, expires in answer:
        try:
            lease = decodeLease(blob, fromBytes(name))
        except CorruptRecord as error:
            log.warn("lease of {node} cannot be read: {why}", node=error.key, why=error.why)
        else:
            found.append(evolve(lease, expires=float(expires) / 1000))
    return found


def toBytes(text: str) -> bytes:
    """
    @return: a name, as it is in keys and indexes.
    """
    # Header text may have lone surrogates: they stand for bytes that are not UTF-8.
    return text.encode("utf-8", "surrogatepass")


def fromBytes(data: bytes) -> str:
    """
    @return: the name that L{toBytes} was given.
    """
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:  # not written by us
        return data.decode("utf-8", "backslashreplace")
