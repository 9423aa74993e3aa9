"""
Several whole nodes in one process: a store, a clock and a recordings directory
that they share, and neither network, threads nor media.
"""

from __future__ import annotations

from typing import Any, cast

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from siprec.cluster.cluster import Cluster
from siprec.cluster.continuing import Continuation
from siprec.cluster.gate import Gate
from siprec.cluster.places import Places
from siprec.cluster.wakefulness import Wakefulness
from siprec.ids import NodeID
from siprec.metrics import Metrics
from siprec.recorder import Recorder
from siprec.sdp.choice import Policy
from siprec.session.equipment import Equipment
from siprec.session.recordings import Recordings
from siprec.session.recovery import Recovery
from siprec.session.running import RunningRecordings
from siprec.session.service import SessionService
from siprec.sip.flow import Flow
from siprec.sip.interfaces import ISipTransport
from siprec.sip.layer import SipLayer
from siprec.sip.message import Request, Response, parseMessage
from siprec.store.memory import MemorySessionStore
from siprec.store.memorysessions import SessionMemory
from siprec.testing.fakes import FakeCapture, FakePortPool, FakeSipTransport
from siprec.uas.around import Surroundings
from siprec.uas.call import Call
from siprec.uas.negotiation import Negotiation
from siprec.uas.origin import describeDialog
from siprec.uas.outgoing import Outgoing
from tests.cluster.fakewires import NodeClock, WireEnd, Wires
from tests.nodeparts import settingsFor
from tests.store.shaky import ShakyStore
from tests.uas.house import START, FakeRenderer, ImmediateWorkers


@implementer(ISipTransport)
@define(eq=False, repr=False)
class NodeTransport(FakeSipTransport):
    """
    Listens at one address, and has no connections.

    @ivar adopted: addresses of other nodes that are listened at.
    """

    adopted: list[tuple[str, str, int]] = field(factory=list)

    @property
    def addresses(self) -> list[tuple[str, str, int]]:
        """
        Where it listens.
        """
        return [("UDP", *self.local)]

    def ours(self, flow: Flow) -> Flow:
        """
        See L{siprec.sip.transport.TransportService.ours}.
        """
        return evolve(flow, local=self.local)

    def adopt(self, transport: str, host: str, port: int) -> None:
        """
        See L{siprec.sip.transport.TransportService.adopt}.
        """
        self.adopted.append((transport, host, port))

    def abandon(self, transport: str, host: str, port: int) -> Deferred[None]:
        """
        See L{siprec.sip.transport.TransportService.abandon}.
        """
        self.adopted.remove((transport, host, port))
        return succeed(None)


@define(eq=False, slots=False)
class FakeNode:
    """
    A node; L{start} makes it one of the cluster.

    @ivar byAddress: whether ports go over from node to node, as on one host.
    """

    node: NodeID
    root: str
    common: Clock
    memory: SessionMemory
    wires: Wires
    byAddress: bool = True
    options: dict[str, object] = field(factory=dict)
    workers: ImmediateWorkers = field(factory=ImmediateWorkers, init=False)
    renderer: FakeRenderer = field(factory=FakeRenderer, init=False)
    capture: FakeCapture = field(factory=FakeCapture, init=False)

    def __attrs_post_init__(self) -> None:
        number = int(self.node[1:])
        self.clock = NodeClock(self.common)
        self.wire = NodeTransport(local=(f"192.0.2.{100 + number}", 5060))
        self.ports = FakePortPool(10000 + 1000 * number, 200)
        self.metrics = Metrics("0", self.node)
        self.running = RunningRecordings(self.root, self.node)
        self.wires.lives[self.node] += 1
        self.instance = f"{self.node}-{self.wires.lives[self.node]}"
        self.links = WireEnd(self.node, self.wires, self.clock, self.instance)
        self.store = ShakyStore(MemorySessionStore(self.clock, self.node, self.memory))
        ways = "address,reinvite" if self.byAddress else "reinvite"
        options = {"node__id": self.node, "cluster__media_takeover": ways, **self.options}
        self.settings = settingsFor(self.root, **options)
        self.state = self._makeState()
        self.service = self._makeRecordings()
        self.state.recordings = self.service
        self._join()

    def _makeState(self) -> SessionService:
        state = SessionService(
            cast(Any, self.store),
            self.clock,
            nodeID=self.node,
            instance=self.instance,
            now=self.now,
            addresses=lambda: (f"udp:{self.wire.local[0]}:5060",),
            signs=lambda: self.recorder.signs(),
            count=lambda: len(self.service.recordings),
            saveAll=lambda: Deferred.fromCoroutine(self.recorder.saveAll()),
            onFenced=lambda key: self.cluster.fenced(key),
            onDead=lambda key: self.recorder.endDead(key),
            onLapsed=lambda: self.cluster.wakefulness.doubt("the lease was over"),
            leaseData=lambda: self.cluster.leaseData(),
        )
        # All of them are one process, which must not count as each one's.
        state._process = {}
        return state

    def _makeRecordings(self) -> Recordings:
        return Recordings(
            Equipment(
                node=self.node,
                root=self.root,
                store=self.state.keeper,
                ports=self.ports,
                capture=self.capture,
                renderer=self.renderer,
                workers=self.workers,
                running=self.running,
                clock=self.clock,
                now=self.now,
                metrics=self.metrics,
            ),
            minFree=1,
        )

    def _join(self) -> None:
        clock, settings = self.clock, self.settings
        self.layer = SipLayer(clock)
        self.around = Surroundings(
            service=self.service,
            outgoing=Outgoing(self.layer, self.wire),
            clock=clock,
            now=self.now,
            metrics=self.metrics,
            mediaHosts=lambda flow: (self.wire.local[0], self.wire.local[0]),
            describe=lambda request, flow: describeDialog(request, flow, []),
            negotiation=lambda: Negotiation(Policy()),
            ways=settings.cluster.mediaTakeover,
        )
        self.recorder = Recorder(self.around, self.layer, self.wire)
        places = Places(None, lambda host: False, lambda lease: self.byAddress)
        wakefulness = Wakefulness(clock, 1.5, lambda: self.cluster.verify())
        gate = Gate(wakefulness)
        gate.transport = self.wire
        self.continuation = Continuation(
            self.node,
            self.service,
            self.recorder,
            cast(Any, self.wire),
            cast(Any, self.store),
            self.running,
            self.workers,
            clock,
            self.now,
            places,
            None,
            None,
            timeout=3600.0,
            addressWait=settings.cluster.addressWait,
            ways=settings.cluster.mediaTakeover,
        )
        self.cluster = Cluster(
            settings,
            clock,
            self.state,
            self.service,
            self.recorder,
            self.layer,
            cast(Any, self.wire),
            self.running,
            cast(Any, self.workers),
            self.renderer,
            Recovery(self.running, self.renderer, self.workers, self.now, self.metrics),
            self.continuation,
            places,
            self.now,
            cast(Any, self.links),
            wakefulness,
            gate,
        )
        self.links.onBroken = self.cluster.membership.broken
        self.cluster.giver._sharesNetwork = lambda lease: self.byAddress
        gate.receiver = self.cluster.relay
        self.cluster.relay.receiver = self.layer
        self.layer.transport = self.cluster.relay
        self.layer.user = self.recorder
        self.recorder.isUncertain = self.cluster.relay.isUncertain
        self.around.passOn = self.cluster.passOn

    def now(self) -> float:
        """
        @return: the wall clock.
        """
        return START + self.common.seconds()

    def start(self) -> None:
        """
        Become a node of the cluster.
        """
        self.running.acquire()
        self.cluster.open()
        beginning = Deferred.fromCoroutine(self.state.begin())
        assert beginning.called, "a store in memory answers at once"
        self.cluster.startService()

    def feed(self, message: Request | Response, flow: Flow) -> list[Request | Response]:
        """
        Let a message of a peer come to this node.

        @return: what it sent since this was last asked.
        """
        own = evolve(flow, local=self.wire.local)
        self.cluster.gate.messageReceived(parseMessage(message.serialize()), own)
        return self.wire.take()

    def kill(self) -> None:
        """
        The process is gone, and the others notice that its connections broke.
        """
        self.vanish()
        for each in self.wires.ends.values():
            if each is not self.links and each.running:
                each.broken(self.node)

    def vanish(self) -> None:
        """
        The process is gone, and its host with it: nobody notices anything.
        """
        self.clock.kill()
        self.links.running = False
        self.store.away = True
        self.wire.gone = True
        self.running.release()

    def stop(self) -> None:
        """
        End it in order, but for its calls.
        """
        if self.clock.dead:
            return
        self.recorder.stopCalls(503, "test is over")
        self.common.pump([0.25] * 8)
        leaving = Deferred.fromCoroutine(self.cluster.leave())
        self.common.pump([0.5] * 8)
        assert leaving.called, "good-bye takes 2 seconds at most"
        self.layer.stop()
        stopping = self.state.stopService()
        self.common.pump([0.5] * 12)
        assert stopping.called, "the last writes take 5 seconds at most"
        self.cluster.close()
        self.running.release()

    @property
    def calls(self) -> list[Call]:
        """
        Its calls.
        """
        return list(self.recorder.calls.values())
