"""
What the SIP side and the session service ask of a store.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from siprec.ids import NodeID
from siprec.session.model import CallSnapshot, Claimed, NodeLease, SessionData
from siprec.store.errors import (
    CorruptRecord,
    LeaseHeld,
    NotOwner,
    SessionDeleted,
    SessionNotFound,
    StoreError,
    StoreUnavailable,
    VersionConflict,
)

__all__ = [
    "CorruptRecord",
    "ISessionStore",
    "ISnapshotStore",
    "LeaseHeld",
    "NotOwner",
    "SessionDeleted",
    "SessionIDs",
    "SessionNotFound",
    "StoreError",
    "StoreUnavailable",
    "VersionConflict",
]

#: Ids of sessions, in no order.  (Inside a class that has a method C{list},
#: the name of the built-in type is taken.)
SessionIDs = list[str]
_Leases = list[NodeLease]


class ISnapshotStore(Interface):
    """
    The minimal store: snapshots of calls, by key.  It is all that the SIP side
    knows; it holds no leases, no owners and no indexes.

    Every method fails with L{StoreUnavailable} where no answer comes.
    """

    def save(key: str, snapshot: CallSnapshot) -> Deferred[None]:
        """
        Keep a snapshot, in place of the one of that key if there is one.

        @param key: the recording's id.
        @return: fires with C{None} once another node could load it.
        """

    def load(key: str) -> Deferred[CallSnapshot]:
        """
        @return: fires with the snapshot saved last, or fails with
            L{SessionNotFound}.
        """

    def delete(key: str) -> Deferred[None]:
        """
        Forget a snapshot; forgetting what is not there is no error.

        @return: fires with C{None}.
        """

    def list() -> Deferred[list[str]]:
        """
        @return: fires with the keys of all snapshots, in no order.
        """


class ISessionStore(Interface):
    """
    The rich store: records of sessions, shared by all nodes, each with a
    version and an owner; and the leases of the nodes.

    Each method is one atomic step: indexes, version, owner and record change
    together or not at all.  Every method fails with L{StoreUnavailable} after
    C{timeout} seconds without an answer, after L{close}, and wherever else
    nothing is known; it is then open whether a write was made.  Other failures
    mean that the store did answer and that nothing was changed, except where
    said.  A time to live or lease that is not above 0 fails with C{ValueError}.

    A record whose time to live has run out is gone for every method, whether
    or not L{cleanup} has been there yet.  "Owner" is a NodeID and the epoch in
    which it took the session; an epoch is higher than all before it.

    C{ISnapshotStore(store)} gives the snapshot layer over the same records
    (L{siprec.store.adapter}), for the node C{nodeID}.
    """

    nodeID: NodeID = Attribute("The node that uses this store: the snapshot layer is for it.")
    timeout: float = Attribute("Longest wait for one call, in seconds.")

    def store(data: SessionData, ttl: float) -> Deferred[SessionData]:
        """
        Create a record.  A deletion that is remembered for this id is
        forgotten.

        @param data: its C{version} and C{epoch} do not matter; C{nodeID} will
            be the owner.
        @param ttl: seconds until the record may be dropped; above 0.
        @return: fires with the data as stored: version 1, epoch 1.  Fails with
            L{VersionConflict} (expected 0) if there is a record of that id,
            readable or not.
        """

    def get(sessionID: str) -> Deferred[SessionData]:
        """
        @return: fires with the record; its C{remaining} says how long it will
            live.  Fails with L{SessionNotFound}, or with L{CorruptRecord} if it
            is there but cannot be read.
        """

    def update(data: SessionData, ttl: float) -> Deferred[SessionData]:
        """
        Write a record if nobody else has, since it was read.  The indexes by
        node, Call-ID, communication session and correlation follow.

        @param data: with the C{version} and C{epoch} that it was read or
            written with.
        @param ttl: seconds from now until the record may be dropped; above 0.
        @return: fires with the data as stored: its version is one higher.
            Fails, in this order of precedence, with L{SessionNotFound};
            L{NotOwner} if the stored epoch is higher than C{data.epoch};
            L{VersionConflict} if the stored version is not C{data.version} or
            the stored epoch is lower than C{data.epoch}.
        """

    def delete(sessionID: str, epoch: int | None = None, remember: float = 0.0) -> Deferred[bool]:
        """
        Remove a record and its index entries, readable or not.

        @param epoch: the caller's; C{None}: whoever owns it.
        @param remember: seconds for which L{replicate} must refuse this id, at
            least, whether or not it was there; 0: it need not.
        @return: fires with C{True} if the record was there, C{False} if not.
            Fails with L{NotOwner} if the stored epoch is higher than C{epoch}.
        """

    def list(node: NodeID | None = None) -> Deferred[SessionIDs]:
        """
        @param node: only what this node owns; C{None}: everything.
        @return: fires with the ids.
        """

    def exists(sessionID: str) -> Deferred[bool]:
        """
        @return: fires with whether there is a record of that id, readable or
            not.
        """

    def extend(sessionID: str, ttl: float, epoch: int) -> Deferred[None]:
        """
        Give a record more time; nothing else of it changes, nor its version.

        @param ttl: seconds from now until the record may be dropped; above 0.
            It may be less than what is left.
        @param epoch: the caller's.
        @return: fires with C{None}.  Fails with L{SessionNotFound}, or with
            L{NotOwner} if the stored epoch is higher than C{epoch}.
        """

    def listByCallID(callID: str) -> Deferred[SessionIDs]:
        """
        @return: fires with the ids of the records with that Call-ID.
        """

    def listBySession(communicationSessionID: str) -> Deferred[SessionIDs]:
        """
        @return: fires with the ids of the records that carry that
            communication session (C{SessionData.sessions}).
        """

    def listByCorrelation(key: str) -> Deferred[SessionIDs]:
        """
        @return: fires with the ids of the records that carry that key
            (C{SessionData.correlations}).
        """

    def claim(sessionID: str, node: NodeID, epoch: int) -> Deferred[SessionData]:
        """
        Take a session over, if nobody else has since the caller looked.

        @param node: the new owner.
        @param epoch: the stored epoch that the caller saw.
        @return: fires with the record as it is now: owner C{node}, the epoch
            and the version each one higher; its time to live goes on as it
            was.  Fails with L{SessionNotFound}; with L{NotOwner} if the stored
            epoch is not C{epoch}; with L{CorruptRecord} if the record cannot
            be read (whether it was claimed is then open).
        """

    def owners() -> Deferred[dict[NodeID, int]]:
        """
        @return: fires with how many records each node owns, readable or not;
            nodes that own none are left out.  That a node is there does not
            mean that it lives: see L{nodes}.
        """

    def claimFrom(owner: NodeID, node: NodeID, limit: int, instance: str = "") -> Deferred[Claimed]:
        """
        Take over a part of what a dead node owns.  Those with the most time to
        live are the first: where all get the same time, the ones written last.
        Of several nodes that do it at once, no two get the same record.

        Records that cannot be read stay with C{owner}, and keep nobody from
        those behind them.

        @param owner: the node that is dead.
        @param node: the new owner.
        @param limit: most records to take, 1 to 500.
        @param instance: the process of C{owner} that the caller knows to be
            dead: its lease, if it has not expired, is ended in the same step.
            Empty: there must be none.
        @return: fires with the records, as L{claim} gives them, and how many
            are left; none and 0 left is how it ends.  One that was taken over
            and then turns out to be unreadable is logged and not among them,
            so there may be none and some left.  Fails with L{LeaseHeld} while
            C{owner} has an unexpired lease, unless it is that of C{instance};
            with C{ValueError} if C{owner} is C{node}, or C{limit} is out of
            range.  After L{StoreUnavailable} some may have been taken over:
            L{list} of C{node} has them.
        """

    def replicate(data: SessionData, ttl: float) -> Deferred[bool]:
        """
        Keep a copy of another store's record, with its version, epoch and
        owner as they are, in place of an older one.  Newer is what has the
        higher epoch, or the same epoch and the higher version.

        @param ttl: seconds from now until the record may be dropped; above 0.
        @return: fires with C{True} if it was written (there was none, or an
            older one), C{False} if the one here is the same or newer.  Fails
            with L{SessionDeleted} while a deletion of that id is remembered.
        """

    def heartbeat(lease: NodeLease, ttl: float) -> Deferred[bool]:
        """
        Take or renew a node's lease, in one step however many sessions it has.

        @param lease: its C{expires} does not matter: the store sets it, on its
            own clock.
        @param ttl: seconds for which the lease holds; above 0.
        @return: fires with C{True} if this instance had the lease until now,
            C{False} if it has taken it: for the first time, or after it had
            run out or was ended.  Fails with L{LeaseHeld} while another
            C{instance} has an unexpired lease of that NodeID.
        """

    def nodes() -> Deferred[_Leases]:
        """
        @return: fires with the leases that have not expired on the store's
            clock, in no order; one that cannot be read is left out.
        """

    def release(nodeID: NodeID, instance: str) -> Deferred[None]:
        """
        Give up a lease.  Where there is none, or another instance has it,
        nothing happens.

        @return: fires with C{None}.
        """

    def stats() -> Deferred[dict[str, Any]]:
        """
        @return: fires with plain values by name, for people and metrics: at
            least C{provider} (text), C{sessions} and C{nodes} (counts),
            C{latency} (seconds that this answer took to come).
        """

    def cleanup() -> Deferred[int]:
        """
        Remove what has expired and index entries without a record, in bounded
        batches, so that other calls get their turn in between.

        @return: fires with how many records and entries were removed.
        """

    def health() -> Deferred[bool]:
        """
        @return: fires with C{True} if the store answers and takes writes;
            fails with L{StoreUnavailable} otherwise.
        """

    def close() -> Deferred[None]:
        """
        Let go of connections and timers; a second time is no error.  Calls
        that are under way fail with L{StoreUnavailable}.

        @return: fires with C{None} when all is released.
        """
