"""
Connections to other nodes, in the hands of the test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from siprec.cluster.errors import Unreachable
from siprec.cluster.interfaces import IClusterLinks, Liveness
from siprec.ids import NodeID
from siprec.session.model import NodeLease


@implementer(IClusterLinks)
@define(eq=False)
class FakeLinks:
    """
    Answers probes as the test has said, by instance: C{SILENT}, which is also what
    is said of those that are not named, when the time is over, and all else at
    once.

    @ivar alive: what is found of each instance.
    @ivar kept: what was to be held, each time.
    @ivar probes: time, instance and longest wait of each probe.
    @ivar held: C{None}, or the probes that wait until the test lets them go.
    @ivar error: what probes fail with, against the promise.
    @ivar sent: node, kind and body of each request and notice.
    @ivar reachable: whether those are taken.
    @ivar answers: what answers requests, by kind.
    """

    clock: IReactorTime
    alive: dict[str, Liveness] = field(factory=dict)
    kept: list[list[NodeID]] = field(factory=list)
    probes: list[tuple[float, str, float]] = field(factory=list)
    held: list[Deferred[Liveness]] | None = None
    error: Exception | None = None
    sent: list[tuple[NodeID, str, Any]] = field(factory=list)
    reachable: bool = True
    answers: dict[str, Callable[[Any, Any], Any]] = field(factory=dict)

    def keep(self, nodes: Iterable[NodeID]) -> None:
        """
        See L{IClusterLinks.keep}.
        """
        self.kept.append(list(nodes))

    def probe(self, lease: NodeLease, timeout: float) -> Deferred[Liveness]:
        """
        See L{IClusterLinks.probe}.
        """
        self.probes.append((round(self.clock.seconds(), 6), lease.instance, round(timeout, 6)))
        if self.error is not None:
            return fail(self.error)
        found: Deferred[Liveness] = Deferred()
        if self.held is not None:
            self.held.append(found)
            return found
        liveness = self.alive.get(lease.instance, Liveness.SILENT)
        if liveness is not Liveness.SILENT:
            return succeed(liveness)
        self.clock.callLater(timeout, found.callback, liveness)
        return found

    def handle(self, kind: str, answer: Callable[[Any, Any], Any]) -> None:
        """
        See L{IClusterLinks.handle}.
        """
        self.answers[kind] = answer

    def request(self, node: NodeID, kind: str, body: Any, timeout: float = 5.0) -> Deferred[Any]:
        """
        See L{IClusterLinks.request}: the answer is none.
        """
        return self.notify(node, kind, body)

    def notify(self, node: NodeID, kind: str, body: Any) -> Deferred[None]:
        """
        See L{IClusterLinks.notify}.
        """
        if not self.reachable:
            return fail(Unreachable(node, "as the test wants it"))
        self.sent.append((node, kind, body))
        return succeed(None)
