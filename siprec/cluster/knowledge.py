"""
What a node knows of where a call is: here, on its way, or with a node that is dead.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from siprec.cluster.addresses import Addresses
from siprec.cluster.belief import Belief
from siprec.cluster.handover import Giver
from siprec.cluster.membership import Membership
from siprec.cluster.takeover import Takeover
from siprec.cluster.taking import Taker
from siprec.ids import NodeID
from siprec.recorder import Recorder
from siprec.session.model import SessionData
from siprec.session.recordings import Recordings
from siprec.sip.layer import SipLayer
from siprec.sip.message import Request

__all__ = ["Knowledge"]

# A first INVITE is repeated for 64*T1 (RFC 3261 section 17.1.1.2): so long after
# a node has died one of its calls may still knock at another's door.
_KNOCKS = 32.0


@define(eq=False, repr=False)
class Knowledge:
    """
    Asks the parts, for the relay and for each other.  It is
    L{siprec.cluster.interfaces.Owners}.
    """

    _clock: IReactorTime
    _layer: SipLayer
    _recorder: Recorder
    _recordings: Recordings
    _membership: Membership
    _addresses: Addresses
    _takeover: Takeover
    _giver: Giver
    _taker: Taker
    _belief: Belief
    # Whether this node is one of the cluster.
    _isRunning: Callable[[], bool]
    _unsettledUntil: float = field(default=0.0, init=False)

    def has(self, request: Request) -> bool:
        """
        See L{Owners.has<siprec.cluster.interfaces.Owners.has>}.
        """
        return self._layer.has(request) or self._recorder.has(request)

    def unsettle(self) -> None:
        """
        A node has just died.
        """
        self._unsettledUntil = self._clock.seconds() + _KNOCKS

    def unsettled(self) -> bool:
        """
        See L{Owners.unsettled<siprec.cluster.interfaces.Owners.unsettled>}.
        """
        return self._clock.seconds() < self._unsettledUntil or bool(self._addresses.held)

    def isSure(self) -> bool:
        """
        See L{Owners.isSure<siprec.cluster.interfaces.Owners.isSure>}.
        """
        return self._belief.isDue()

    def others(self) -> Collection[NodeID]:
        """
        See L{Owners.others<siprec.cluster.interfaces.Owners.others>}.
        """
        return self._membership.living if self._isRunning() else ()

    def beingTakenUp(self, key: str) -> Deferred[None] | None:
        """
        See L{Owners.beingTakenUp<siprec.cluster.interfaces.Owners.beingTakenUp>}.
        """
        for part in (self._takeover.beingTakenUp, self._giver.beingGiven, self._taker.beingTaken):
            waiting = part(key)
            if waiting is not None:
                return waiting
        return None

    def isDead(self, node: NodeID) -> bool:
        """
        See L{Owners.isDead<siprec.cluster.interfaces.Owners.isDead>}.
        """
        return self._isRunning() and self._membership.isDead(node)

    def claim(self, record: SessionData) -> Deferred[None]:
        """
        See L{Owners.claim<siprec.cluster.interfaces.Owners.claim>}.
        """
        return self._takeover.claim(record)

    def knows(self, key: str) -> bool:
        """
        @return: whether this node has that call, or does something with it.
        """
        return (
            key in self._recordings.recordings
            or self._takeover.beingTakenUp(key) is not None
            or key in self._giver.underWay
            or key in self._taker.underWay
        )
