"""
A node of parts that only note what is done with them.
"""

from __future__ import annotations

import os
from typing import Any

from attrs import define, evolve, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.continuing import Continuation
from siprec.cluster.membership import Member
from siprec.cluster.places import Places
from siprec.config import ClusterSettings, ConfigError, Settings, loadSettings
from siprec.ids import NodeID, nodeID
from siprec.metrics import Metrics
from siprec.node import Node
from siprec.session.model import CallSnapshot, NodeLease
from siprec.session.running import Orphan, RunningRecordings
from siprec.testing.control import ImmediateWorkers
from tests.callparts import RecorderPart, SessionsPart
from tests.session.recordings import NODE, START

LISTEN = "tcp:8080:interface=127.0.0.1"


def settingsFor(root: str, **overrides: object) -> Settings:
    """
    @return: settings of a node that keeps its recordings in C{root}.
    """
    given = {key.replace("__", "."): value for key, value in overrides.items()}
    return loadSettings(None, {"node.id": NODE, "recordings.directory": root, **given})


class FakeReactor(MemoryReactorClock):
    """
    A reactor without a network.

    @ivar broken: whether every TCP port is in use.
    """

    broken = False

    def listenTCP(self, port: int, *args: Any, **kwargs: Any) -> Any:
        if self.broken:
            raise CannotListenError("127.0.0.1", port, OSError(98, "Address already in use"))
        return super().listenTCP(port, *args, **kwargs)


@define(eq=False, slots=False)
class Part(Service):
    """
    A part of a node that notes when it is started and stopped.

    @ivar failure: what its start raises, or C{None}.
    @ivar stopping: what its stop returns.
    """

    name: str
    notes: list[str]
    failure: Exception | None = None
    stopping: Deferred[None] | None = None

    def startService(self) -> None:
        if self.failure is not None:
            raise self.failure
        super().startService()
        self.notes.append(f"+{self.name}")

    def stopService(self) -> Deferred[None]:
        super().stopService()
        self.notes.append(f"-{self.name}")
        return self.stopping or succeed(None)


@define(eq=False, slots=False)
class StatePart(Part):
    """
    A session service.

    @ivar begun: what its beginning waits for.
    @ivar calls: what an earlier life has left.
    """

    begun: Deferred[None] = field(factory=lambda: succeed(None))
    calls: list[CallSnapshot] = field(factory=list)
    store: Any = None

    @property
    def heartbeat(self) -> StatePart:
        return self

    def beatNow(self) -> None:
        self.notes.append("beat")

    async def begin(self) -> None:
        await self.begun
        self.startService()

    async def mine(self) -> list[CallSnapshot]:
        return self.calls

    def nodes(self) -> Deferred[list[NodeLease]]:
        lease = NodeLease(NODE, "i1", "here", 42, ("udp:192.0.2.1:5060",), 0, "1.2.3")
        return succeed([lease, evolve(lease, nodeID=nodeID("node-b"), sessions=7)])


@define(eq=False, slots=False)
class TransportPart(Part):
    """
    Listens nowhere.
    """

    addresses: list[tuple[str, str, int]] = field(factory=lambda: [("UDP", "192.0.2.1", 5060)])


@define(eq=False, slots=False)
class WorkersPart(Part, ImmediateWorkers):
    """
    Works at once.
    """

    called: list[str] = field(factory=list)


@define(eq=False)
class EntrancePart:
    """
    Notes what it is configured with.
    """

    settings: Settings | None = None
    loaded: Settings | None = None
    failure: OSError | None = None

    def configure(self, settings: Settings, recorder: object) -> None:
        self.settings = settings

    def load(self, settings: Settings) -> None:
        if self.failure is not None:
            raise self.failure
        self.loaded = settings


@define(eq=False)
class LayerPart:
    """
    Forgets its transactions when it is told to.
    """

    notes: list[str]

    def stop(self) -> None:
        self.notes.append("-layer")


@define(eq=False)
class LeftoversPart:
    """
    Keeps back what another node goes on with.
    """

    others: set[str] = field(factory=set)

    async def ours(self, orphans: list[Orphan]) -> list[Orphan]:
        return [each for each in orphans if each.id not in self.others]


@define(eq=False)
class MembershipPart:
    """
    Knows other nodes.
    """

    members: dict[NodeID, Member] = field(factory=dict)


@define(eq=False)
class CredentialsPart:
    """
    The files of the cluster.

    @ivar failure: what reading them raises, or C{None}.
    """

    notes: list[str]
    failure: ConfigError | None = None

    def load(self, settings: ClusterSettings) -> None:
        if self.failure is not None:
            raise self.failure
        self.notes.append("files read")


@define(eq=False)
class LinksPart:
    """
    The connections to the others.
    """

    credentials: CredentialsPart


@define(eq=False)
class ClusterPart:
    """
    The others, as far as they matter to a node's start and stop.

    @ivar failure: what its opening raises, or C{None}.
    @ivar leaving: what its leaving waits for.
    @ivar until: until when calls were to be given away.
    """

    notes: list[str]
    continuation: Continuation
    failure: Exception | None = None
    leaving: Deferred[None] = field(factory=lambda: succeed(None))
    until: list[float] = field(factory=list)
    giving: Deferred[None] = field(factory=lambda: succeed(None))
    links: LinksPart = field(init=False)
    leftovers: LeftoversPart = field(factory=LeftoversPart)
    membership: MembershipPart = field(factory=MembershipPart)

    def open(self) -> None:
        if self.failure is not None:
            raise self.failure
        self.notes.append("+links")

    def __attrs_post_init__(self) -> None:
        self.links = LinksPart(CredentialsPart(self.notes))

    async def arrive(self) -> None:
        self.notes.append("arrive")

    def startService(self) -> None:
        self.notes.append("+cluster")

    async def giveAway(self, until: float) -> None:
        self.notes.append("give away")
        self.until.append(until)
        await self.giving

    async def leave(self) -> None:
        self.notes.append("-cluster")
        await self.leaving

    def close(self) -> Deferred[None]:
        self.notes.append("-links")
        return succeed(None)

    async def ours(self, orphans: list[Orphan]) -> list[Orphan]:
        return await self.leftovers.ours(orphans)


@define(eq=False)
class RecoveryPart:
    """
    Recovers when the test says so.
    """

    orphans: list[Orphan] | None = None
    done: Deferred[None] = field(factory=Deferred)

    async def run(self, orphans: list[Orphan]) -> None:
        self.orphans = orphans
        await self.done


class NodeTestCase(SynchronousTestCase):
    """
    A node of parts that note what is done with them.
    """

    def setUp(self) -> None:
        self.root = os.path.abspath(self.mktemp())
        self.notes: list[str] = []
        self.reactor = FakeReactor()
        self.parts: dict[str, Any] = {
            "workers": WorkersPart("workers", self.notes),
            "archive": WorkersPart("archive", self.notes),
            "capture": Part("capture", self.notes),
            "renderer": Part("renderer", self.notes),
            "sessions": SessionsPart(self.notes),
            "transport": TransportPart("transport", self.notes),
            "recorder": RecorderPart(self.notes),
            "entrance": EntrancePart(),
            "layer": LayerPart(self.notes),
            "recovery": RecoveryPart(),
            "state": StatePart("state", self.notes),
        }
        self.addCleanup(lambda: self.assertEqual(self.reactor.getDelayedCalls(), []))
        self.node = self.makeNode()

    def join(self) -> ClusterPart:
        """
        Make the node, which is still to be made, one of a cluster.
        """
        parts, running = self.parts, RunningRecordings(self.root, NODE)
        continuation = Continuation(
            NODE,
            parts["sessions"],
            parts["recorder"],
            parts["transport"],
            parts["state"].store,
            running,
            parts["workers"],
            self.reactor,
            lambda: START,
            Places(None),
            None,
            None,
            timeout=3600.0,
        )
        self.parts["cluster"] = cluster = ClusterPart(self.notes, continuation)
        return cluster

    def makeNode(self, **overrides: object) -> Node:
        """
        @return: a node with the test's parts.
        """
        running = RunningRecordings(self.root, NODE)
        self.addCleanup(running.release)
        return Node(
            settings=settingsFor(self.root, **{"http__listen": LISTEN, **overrides}),
            metrics=Metrics("1.2.3", NODE),
            now=lambda: START,
            running_=running,
            reactor=self.reactor,
            **self.parts,
        )

    def start(self, **overrides: object) -> None:
        """
        Start a node; what was noted of that is forgotten.
        """
        self.node = self.makeNode(**overrides)
        self.node.startService()
        self.notes.clear()

    def stop(self) -> Deferred[None]:
        """
        Stop it; recovery has nothing to do.
        """
        if not self.parts["recovery"].done.called:
            self.parts["recovery"].done.callback(None)
        return self.node.stopService()

    def assertFree(self) -> None:
        """
        Another process can be this node now.
        """
        another = RunningRecordings(self.root, NODE)
        another.acquire()
        another.release()
