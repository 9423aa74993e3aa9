"""
Finding out whether a node lives.
"""

from __future__ import annotations

from typing import TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from siprec.cluster.dialing import Dialer
from siprec.cluster.errors import LinkError, LinkLost
from siprec.cluster.handshake import OtherPeer
from siprec.cluster.interfaces import Liveness
from siprec.cluster.link import Link
from siprec.cluster.pending import tookTooLong
from siprec.cluster.table import LinkTable
from siprec.session.model import NodeLease

__all__ = ["Liveness", "Prober"]

log = Logger()

_Finding = TypeVar("_Finding")

#: Seconds until another attempt, after a connection that was opened and then lost.
AGAIN = 0.1


@define(eq=False, repr=False)
class Prober:
    """
    Asks nodes for a sign of life: by the link that is open, if there is one, and by
    a new connection.  One alone could deceive: an open one may be dead without a
    word, and a new one may not get through where somebody floods the port.
    """

    _clock: IReactorTime
    _dialer: Dialer
    _links: LinkTable
    _running: dict[Deferred[Liveness], None] = field(factory=dict, init=False)

    def probe(self, lease: NodeLease, timeout: float) -> Deferred[Liveness]:
        """
        @param timeout: longest time it takes, in seconds.
        @return: fires with the finding, and never fails.
        """
        return Deferred.fromCoroutine(self._probe(lease, timeout))

    def stop(self) -> None:
        """
        End what is under way.
        """
        for asking in list(self._running):
            asking.cancel()

    async def _probe(self, lease: NodeLease, timeout: float) -> Liveness:
        link = self._links.find(lease.nodeID, lease.instance)
        made: list[Link] = []
        new = Deferred.fromCoroutine(self._byNew(lease, timeout, made))
        self._running[new] = None
        new.addBoth(self._ended, new)
        if link is None or not await self._byOpen(link, timeout):
            return await new
        # The other way ends by itself: to give it up might look like a break to the
        # node that was asked.  What it opens is not needed.
        new.addCallback(self._leave, made)
        new.addErrback(lambda why: log.failure("{node}", why, node=lease.nodeID))
        return Liveness.ALIVE

    def _leave(self, found: Liveness, made: list[Link]) -> None:
        for link in made:
            if link.isIdle:
                link.close(goodbye=True)

    def _ended(self, result: _Finding, asking: Deferred[Liveness]) -> _Finding:
        del self._running[asking]
        return result

    async def _byOpen(self, link: Link, timeout: float) -> bool:
        try:
            await link.ping(timeout)
        except (LinkError, TimeoutError):
            return False
        return True

    async def _byNew(self, lease: NodeLease, timeout: float, made: list[Link]) -> Liveness:
        end = self._clock.seconds() + timeout
        try:
            while True:
                left = max(0.0, end - self._clock.seconds())
                asked = Deferred.fromCoroutine(self._ask(lease, left, made))
                try:
                    return await asked.addTimeout(left, self._clock, tookTooLong)
                except LinkLost:
                    # A process that is just ending may have its listener closed
                    # after the connection.
                    if self._clock.seconds() + AGAIN >= end:
                        raise
                    await deferLater(self._clock, AGAIN)
        except ConnectionRefusedError:
            return Liveness.REFUSED
        except OtherPeer:
            return Liveness.OTHER
        except Exception as error:
            log.debug("{node}: {reason}", node=lease.nodeID, reason=str(error))
            return Liveness.SILENT

    async def _ask(self, lease: NodeLease, timeout: float, made: list[Link]) -> Liveness:
        link = await self._dialer.dial(lease)
        try:
            await link.ping(timeout)
        except BaseException:
            link.close(goodbye=True)
            raise
        made.append(link)
        return Liveness.ALIVE
