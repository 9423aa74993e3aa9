"""
Calls of other nodes that come to this one.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred, succeed

from siprec.cluster.continuing import Continuation
from siprec.cluster.drain import takers
from siprec.cluster.membership import Membership
from siprec.cluster.wakefulness import Wakefulness
from siprec.session.model import SessionData
from siprec.session.recordings import Recordings
from siprec.store.adapter import SnapshotAdapter

__all__ = ["Coming"]


@define(eq=False, repr=False)
class Coming:
    """
    Takes them up, and tells whether this node may have any.

    @ivar keys: the calls that are just being taken up, by recording.
    """

    _adapter: SnapshotAdapter
    _recordings: Recordings
    _continuation: Continuation
    _membership: Membership
    _wakefulness: Wakefulness
    # Whether this node is giving that call away, and whether it is being given it.
    _isGiven: Callable[[str], bool]
    _isTaken: Callable[[str], bool]
    # Whether this node is one of the cluster.
    _isRunning: Callable[[], bool]
    # Called when a node that drains has one call more.
    _empty: Callable[[], object]
    keys: set[str] = field(factory=set, init=False)

    def takeUp(self, record: SessionData) -> Deferred[None]:
        """
        Go on with a call whose record is this node's now.

        @return: fires when it is done.
        """
        key = record.sessionID
        if self._isGiven(key):
            # Who was to take it has died.  It goes on here as if nothing had been.
            return succeed(None)
        self._adapter.learn(record)
        lease = None
        if record.snapshot is not None:
            lease = self._membership.leaseOf(record.snapshot.recording.segments[-1].node)
        self.keys.add(key)

        def taken(result: object) -> object:
            self.keys.discard(key)
            if self._recordings.draining and self._isRunning():
                self._empty()
            return result

        taking = Deferred.fromCoroutine(self._continuation.takeOver(record, lease))
        return taking.addBoth(taken)

    def has(self, key: str) -> bool:
        """
        @return: whether that call is on its way to this node.
        """
        return key in self.keys or self._isTaken(key)

    def loads(self) -> tuple[int, list[int]]:
        """
        @return: how many calls this node has, and each of the others.
        """
        others = [each.sessions for each in self._membership.living.values()]
        return len(self._recordings.recordings), others

    def mayTake(self) -> bool:
        """
        @return: whether this node takes what a living one gives it.
        """
        return not self._recordings.draining and self._wakefulness.awake

    def mayTakeOver(self) -> bool:
        """
        A node that drains leaves the calls of a dead one to the others; where
        there is none, it is all that these calls have.

        @return: whether this node takes the calls of a dead one.
        """
        if self._recordings.draining and takers(self._membership.living.values()):
            return False
        return self._wakefulness.awake
