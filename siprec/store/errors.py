"""
What can go wrong in a store, as exceptions that carry the facts.
"""

from __future__ import annotations

from siprec.ids import NodeID
from siprec.session.model import NodeLease


class StoreError(Exception):
    """
    A store did not do what it was asked.
    """


class SessionNotFound(StoreError):
    """
    The store answered: there is no such session.

    @ivar key: the session asked for.
    """

    def __init__(self, key: str) -> None:
        super().__init__(f"no session {key!r}")
        self.key = key


class StoreUnavailable(StoreError):
    """
    The store gave no answer, so nothing is known: neither that the session is
    there nor that it is not, neither that a write was made nor that it was not.
    """


class VersionConflict(StoreError):
    """
    The record was changed by another since the caller read it; nothing was
    written.  The way on is to read it again.

    @ivar key: the session.
    @ivar expected: the version that the caller knew; 0 if it was to be new.
    @ivar found: the version that is stored.
    """

    def __init__(self, key: str, expected: int, found: int) -> None:
        super().__init__(f"session {key!r} is at version {found}, not {expected}")
        self.key, self.expected, self.found = key, expected, found


class NotOwner(StoreError):
    """
    The session has been taken over since the caller owned it; nothing was
    written.  The way on is to let go of it without a word to the peer.

    @ivar key: the session.
    @ivar owner: the node that it belongs to now.
    @ivar epoch: the epoch since which it does.
    """

    def __init__(self, key: str, owner: NodeID, epoch: int) -> None:
        super().__init__(f"session {key!r} belongs to {owner!r} since epoch {epoch}")
        self.key, self.owner, self.epoch = key, owner, epoch


class CorruptRecord(StoreError):
    """
    What is stored cannot be read: it was damaged, or another program, or a
    newer one, wrote it.  It is left as it is.

    @ivar key: the session; empty where only the bytes were given.
    @ivar why: what is wrong with it, without its content.
    """

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"record {key!r} cannot be read: {why}")
        self.key, self.why = key, why


class LeaseHeld(StoreError):
    """
    Another process lives under the same NodeID.

    @ivar holder: the lease of that process: it says its host and pid.
    """

    def __init__(self, holder: NodeLease) -> None:
        super().__init__(
            f"node {holder.nodeID!r} is held by process {holder.pid} on {holder.host!r}"
        )
        self.holder = holder


class SessionDeleted(StoreError):
    """
    A copy was refused, as the store remembers that the session was deleted.

    @ivar key: the session.
    """

    def __init__(self, key: str) -> None:
        super().__init__(f"session {key!r} was deleted")
        self.key = key
