"""
Finding out whether a node lives.
"""

from __future__ import annotations

from attrs import define
from twisted.internet.defer import CancelledError, Deferred
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

    def probe(self, lease: NodeLease, timeout: float) -> Deferred[Liveness]:
        """
        @param timeout: longest time it takes, in seconds.
        @return: fires with the finding, and never fails.
        """
        return Deferred.fromCoroutine(self._probe(lease, timeout))

    async def _probe(self, lease: NodeLease, timeout: float) -> Liveness:
        new = Deferred.fromCoroutine(self._byNew(lease, timeout))
        link = self._links.find(lease.nodeID, lease.instance)
        if link is not None and await self._byOpen(link, timeout):
            # It ends by itself.  To give it up might look like a break over there.
            new.addErrback(lambda why: log.failure("{node}", why, node=lease.nodeID))
            return Liveness.ALIVE
        return await new

    async def _byOpen(self, link: Link, timeout: float) -> bool:
        try:
            await link.ping(timeout)
        except (LinkError, TimeoutError):
            return False
        return True

    async def _byNew(self, lease: NodeLease, timeout: float) -> Liveness:
        end = self._clock.seconds() + timeout
        try:
            while True:
                left = max(0.0, end - self._clock.seconds())
                asked = Deferred.fromCoroutine(self._ask(lease, left))
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
        except (Exception, CancelledError) as error:
            log.debug("{node}: {reason}", node=lease.nodeID, reason=str(error))
            return Liveness.SILENT

    async def _ask(self, lease: NodeLease, timeout: float) -> Liveness:
        link = await self._dialer.dial(lease)
        try:
            await link.ping(timeout)
        except BaseException:
            link.close(goodbye=True)
            raise
        if self._links.find(lease.nodeID, lease.instance) is not link and link.isIdle:
            link.close(goodbye=True)
        return Liveness.ALIVE
