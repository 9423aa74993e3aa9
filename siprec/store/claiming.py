"""
Taking over what a dead node owns: what all stores have in common in it.
"""

from __future__ import annotations

from twisted.logger import Logger

from siprec.ids import NodeID
from siprec.session.model import Claimed, SessionData
from siprec.store.answers import Answer, fromBytes, holder, record, toBytes
from siprec.store.errors import CorruptRecord, LeaseHeld

__all__ = ["MOST", "checkClaim", "claimedRecords"]

log = Logger()

#: Records that one claim takes at most: a few milliseconds of a server.
MOST = 500


def checkClaim(owner: NodeID, node: NodeID, limit: int) -> None:
    """
    @raise ValueError: no store can be asked for this.
    """
    if owner == node:
        raise ValueError(f"node {node!r} cannot take over from itself")
    if not 1 <= limit <= MOST:
        raise ValueError(f"a claim takes 1 to {MOST} records, not {limit}")


def claimedRecords(answer: Answer, owner: NodeID, node: NodeID) -> Claimed:
    """
    @param answer: of the script C{claimfrom}.
    @return: the records that can be decoded; the others are logged.
    @raise LeaseHeld: the owner has a lease.
    """
    if answer[0] == b"held":
        _, instance, blob, expires = answer
        raise LeaseHeld(holder(owner, instance, blob, expires / 1000))
    _, left, skipped, last, found = answer
    records: list[SessionData] = []
    for key, blob, version, epoch, remaining in found:
        taken = [b"record", blob, version, epoch, toBytes(node), remaining]
        try:
            records.append(record(taken, fromBytes(key)))
        except CorruptRecord as error:
            log.warn(
                "{recording}: taken over from {owner}, but it cannot be read: {why}",
                recording=error.key,
                owner=owner,
                why=error.why,
            )
    if skipped and not last:
        log.warn(
            "{count} records of {owner} cannot be read and are left with it",
            count=skipped,
            owner=owner,
        )
    return Claimed(tuple(records), left)
