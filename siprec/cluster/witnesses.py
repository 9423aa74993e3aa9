"""
Asking others whether a node lives that this one cannot reach.

A network may be cut between two nodes and not between each of them and a third
one.  A node that has lost the store lives for as long as any other hears it, so
whoever misses it asks those that would.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from siprec.cluster.errors import LinkError
from siprec.cluster.interfaces import IClusterLinks, Liveness
from siprec.cluster.ring import neighbours
from siprec.ids import NodeID
from siprec.session.model import NodeLease

__all__ = ["LIVES", "Witnesses"]

#: Kind of a question between nodes: does that process live, as you see it?
LIVES = "cluster.lives"

# Part of the time for an answer that a witness has to find out.
_SHARE = 0.7

# Seconds that witnesses have to speak for a node whose port refuses.  It is dead, as
# a rule, and is not to be missed any later; they hold connections with it, and know
# at once that they broke.
_DOUBT = 0.1

# Seconds that witnesses have who are asked about a node that nobody here has
# ever seen, and how many are asked.
_PATIENCE, _MOST = 1.0, 16


@implementer(IClusterLinks)
@define(eq=False, repr=False)
class Witnesses:
    """
    The links of a node, whose probes are those of others, too.
    """

    _links: IClusterLinks
    _node: NodeID
    # The other nodes that live.
    _living: Callable[[], Collection[NodeID]]
    _leaseOf: Callable[[NodeID], NodeLease | None]
    _clock: IReactorTime

    def __attrs_post_init__(self) -> None:
        self._links.handle(LIVES, self._asked)

    # See IClusterLinks.

    def keep(self, nodes: Iterable[NodeID]) -> None:
        """
        See L{IClusterLinks.keep}.
        """
        self._links.keep(nodes)

    def handle(self, kind: str, answer: Callable[[Any, Any], Any]) -> None:
        """
        See L{IClusterLinks.handle}.
        """
        self._links.handle(kind, answer)

    def request(self, node: NodeID, kind: str, body: Any, timeout: float = 5.0) -> Deferred[Any]:
        """
        See L{IClusterLinks.request}.
        """
        return self._links.request(node, kind, body, timeout)

    def notify(self, node: NodeID, kind: str, body: Any) -> Deferred[None]:
        """
        See L{IClusterLinks.notify}.
        """
        return self._links.notify(node, kind, body)

    def probe(self, lease: NodeLease, timeout: float) -> Deferred[Liveness]:
        """
        See L{IClusterLinks.probe}; a node that others have an answer of is alive,
        though it does not answer, or refuses.
        """
        return Deferred.fromCoroutine(self._probe(lease, timeout))

    async def _probe(self, lease: NodeLease, timeout: float) -> Liveness:
        # At once, so that a node that is dead is not missed any later for it.
        asking = self._ask(lease.nodeID, lease.instance, self._nearTo(lease.nodeID), timeout)
        liveness = await self._links.probe(lease, timeout)
        if liveness is Liveness.REFUSED:
            # So does a firewall that rejects what is for a node that lives.
            asking = self._within(asking, _DOUBT)
        elif liveness is not Liveness.SILENT:
            return liveness
        return Liveness.ALIVE if await asking else liveness

    def _within(self, asking: Deferred[bool], seconds: float) -> Deferred[bool]:
        """
        @return: what that fires with, or C{False} if it takes longer.
        """
        done: Deferred[bool] = Deferred()
        late = self._clock.callLater(seconds, done.callback, False)

        def answered(lives: bool) -> None:
            if late.active():
                late.cancel()
                done.callback(lives)

        asking.addCallback(answered)
        return done

    # Of nodes that have never been seen here.

    def haveSeen(self, node: NodeID) -> Deferred[bool]:
        """
        @return: fires with whether another node has an answer of this one, of
            which there is no lease; it never fails.
        """
        others = [each for each in self._living() if each != node]
        return self._ask(node, "", others[:_MOST], _PATIENCE)

    # Questions.

    def _nearTo(self, node: NodeID) -> list[NodeID]:
        """
        @return: the nodes that hold connections with that one.
        """
        others = [each for each in self._living() if each != node]
        every = [*others, node, self._node]
        after = neighbours(node, others)
        return [each for each in others if each in after or node in neighbours(each, every)]

    def _ask(
        self, node: NodeID, instance: str, witnesses: Iterable[NodeID], timeout: float
    ) -> Deferred[bool]:
        """
        @return: fires with true at the first that says so, and with false when
            nobody does; it never fails.
        """
        done: Deferred[bool] = Deferred()
        body = {"node": node, "instance": instance, "timeout": timeout * _SHARE}
        waiting = {each: self._links.request(each, LIVES, body, timeout) for each in witnesses}

        def answered(lives: Any, witness: NodeID) -> None:
            waiting.pop(witness, None)
            if not done.called and (lives is True or not waiting):
                done.callback(lives is True)

        def failed(failure: Any) -> bool:
            failure.trap(LinkError, TimeoutError)
            return False

        if not waiting:
            done.callback(False)
        for witness, asking in list(waiting.items()):
            asking.addErrback(failed).addCallback(answered, witness)
        return done

    async def _asked(self, peer: Any, body: Any) -> bool:
        """
        Answer a question.
        """
        lease = self._leaseOf(body["node"])
        if lease is None or body["instance"] not in ("", lease.instance):
            return False
        # Not by way of others: they have been asked, too.
        return await self._links.probe(lease, float(body["timeout"])) is Liveness.ALIVE
