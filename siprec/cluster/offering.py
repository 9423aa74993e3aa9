"""
Telling the other nodes that something is here that one of them may want.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from siprec.cluster.copies import Copies
from siprec.cluster.errors import LinkError
from siprec.cluster.fetching import Fetching, Stopped
from siprec.cluster.interfaces import IClusterLinks
from siprec.cluster.serving import DONE, identityOf, rootOf
from siprec.cluster.turns import answering
from siprec.cluster.waiting import WaitingRecordings
from siprec.ids import NodeID, RecordingID

__all__ = ["OFFER", "Offering"]

log = Logger()

#: The kind of notice: what is here of a recording is closed.
OFFER = "segment.offer"

# Seconds between two looks whether all was fetched, and after which those who have
# not fetched it are told again.
_LOOK, _AGAIN = 0.1, 2.0

_PATIENCE = 5.0


@define(eq=False, repr=False)
class Offering:
    """
    Offers the copies of this node, and hears of those of others.
    """

    _links: IClusterLinks
    _fetching: Fetching
    _copies: Copies
    _marks: WaitingRecordings
    _clock: IReactorTime
    _members: Callable[[], Iterable[NodeID]]
    # Gives the folder of a recording that this node has, rather than a copy of it.
    _hasIt: Callable[[RecordingID], Awaitable[str | None]]
    # Told of a recording of this node of which another one has a copy.
    _onCopy: Callable[[RecordingID, str, NodeID], None]
    # Gives what fires when this node can answer.
    _ready: Callable[[], Deferred[None]]

    def start(self) -> None:
        """
        Hear from now on.
        """
        self._links.handle(OFFER, answering(self._ready, self._offered))

    async def _offered(self, peer: Any, body: Any) -> None:
        identity, root = identityOf(body), rootOf(body)
        directory = await self._hasIt(identity)
        if directory is None:
            return
        if root != self._marks.name:
            self._onCopy(identity, directory, peer.nodeID)
            return
        # It is here already; who offers it need not wait.
        try:
            await self._fetching.ask(peer.nodeID, DONE, {"id": identity, "files": {}}, _PATIENCE)
        except (LinkError, TimeoutError, Stopped) as error:
            log.info("{node}: not told: {why}", node=peer.nodeID, why=repr(error))

    async def tell(self, recordings: Iterable[RecordingID]) -> None:
        """
        Offer copies.  Who is not reached finds out otherwise.
        """
        for identity in recordings:
            for node in list(self._members()):
                body = {"id": identity, "root": self._marks.name}
                try:
                    await self._links.notify(node, OFFER, body)
                except LinkError as error:
                    log.info("{node}: not told: {why}", node=node, why=str(error))

    async def wait(self, until: float) -> None:
        """
        Wait until others have fetched all that is offered, or nobody is there who
        could, or until a time of the clock; they are told again now and then.
        """
        again = self._clock.seconds() + _AGAIN
        while self._copies.offered and list(self._members()):
            now = self._clock.seconds()
            if now >= until:
                log.warn("{copies} copies were not fetched", copies=len(self._copies.offered))
                return
            if now >= again:
                again = now + _AGAIN
                await self.tell(list(self._copies.offered))
            try:
                await self._fetching.step(lambda: deferLater(self._clock, _LOOK))
            except Stopped:
                return
