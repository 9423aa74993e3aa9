"""
A recorder without network, threads or media.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from siprec.ids import nodeID
from siprec.media.ports import NoFreePorts
from siprec.metrics import Metrics
from siprec.peersettings import readPeers
from siprec.recorder import Recorder
from siprec.sdp.choice import Policy
from siprec.session.equipment import Equipment
from siprec.session.interfaces import IRenderer, IWorkers, Silence
from siprec.session.model import CallSnapshot
from siprec.session.recordings import Recordings
from siprec.session.running import RunningRecordings
from siprec.sip.auth import Authenticator
from siprec.sip.flow import Flow
from siprec.sip.interfaces import FlowGone, ISipTransport
from siprec.sip.layer import SipLayer
from siprec.sip.message import Request, Response, parseMessage
from siprec.sip.nonces import Nonces, Replays
from siprec.store.interfaces import ISnapshotStore
from siprec.store.memory import MemorySnapshotStore
from siprec.testing.fakes import FakeCapture, FakePortPool, FakeSipTransport
from siprec.uas.around import Surroundings
from siprec.uas.doorway import Doorway
from siprec.uas.negotiation import Negotiation
from siprec.uas.origin import describeDialog
from siprec.uas.outgoing import Outgoing
from siprec.uas.peerlist import PeerList
from siprec.uas.throttle import Throttle

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: The wall clock when a test begins: 2026-01-05 09:00:00 UTC.
START = 1767603600.0


@implementer(ISipTransport)
@define(eq=False)
class Wire(FakeSipTransport):
    """
    A transport on which single connections may be closed.

    @ivar closed: their flows.
    @ivar deaf: the transports at which no peer listens.
    @ivar wanted: the names whose certificates were asked for.
    """

    closed: set[Flow] = field(factory=set)
    deaf: set[str] = field(factory=set)
    wanted: list[str] = field(factory=list)

    def connect(self, transport: str, host: str, port: int, name: str = "") -> Deferred[Flow]:
        """
        See L{ISipTransport.connect}.
        """
        if transport in self.deaf:
            return fail(FlowGone("nobody listens"))
        if name:
            self.wanted.append(name)
        return super().connect(transport, host, port, name)

    def send(self, flow: Flow, data: bytes) -> None:
        """
        See L{ISipTransport.send}.
        """
        if flow in self.closed:
            raise FlowGone("closed by the peer")
        super().send(flow, data)


@implementer(IWorkers)
@define(eq=False)
class ImmediateWorkers:
    """
    Work is done at once, or, once C{held} is a list, when a test calls what is
    put there.
    """

    held: list[Callable[[], None]] | None = None

    def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        """
        See L{IWorkers.run}.
        """
        if self.held is None:
            return maybeDeferred(function, *args, **kwargs)
        done: Deferred[_T] = Deferred()

        def work() -> None:
            maybeDeferred(function, *args, **kwargs).chainDeferred(done)

        self.held.append(work)
        return done

    def finish(self) -> None:
        """
        Do all that was held, and from now on everything at once.
        """
        held, self.held = self.held or [], None
        for work in held:
            work()


@implementer(IRenderer)
@define(eq=False)
class FakeRenderer:
    """
    Finds one and a half seconds of audio in every recording.

    @ivar failure: what it fails with instead.
    @ivar waiting: if a list, a test fires the Deferreds that are put there.
    @ivar rendered: the directories it was given.
    """

    failure: Exception | None = None
    waiting: list[Deferred[dict[str, Any]]] | None = None
    rendered: list[str] = field(factory=list)

    def silence(self, manifest: Mapping[str, Any]) -> Silence | None:
        """
        See L{IRenderer.silence}.
        """
        return None

    def render(self, directory: str) -> Deferred[dict[str, Any]]:
        """
        See L{IRenderer.render}.
        """
        self.rendered.append(directory)
        if self.failure is not None:
            return fail(self.failure)
        if self.waiting is None:
            return succeed(rendering())
        done: Deferred[dict[str, Any]] = Deferred()
        self.waiting.append(done)
        return done


def rendering() -> dict[str, Any]:
    """
    @return: what L{FakeRenderer} finds.
    """
    audio = {"file": "audio.wav", "sampleRate": 8000, "channels": 2, "sha256": "0" * 64}
    return {"duration": 1.5, "streams": [], "gaps": [], "events": [], "audio": audio}


@implementer(ISnapshotStore)
@define(eq=False)
class WatchedStore(MemorySnapshotStore):
    """
    @ivar saved: every snapshot, in order.
    @ivar onSave: is called before each save.
    @ivar waiting: if a list, a test fires the Deferreds that are put there.
    """

    saved: list[CallSnapshot] = field(factory=list, init=False)
    onSave: Callable[[CallSnapshot], None] = field(default=lambda snapshot: None, init=False)
    waiting: list[Deferred[None]] | None = field(default=None, init=False)

    def save(self, key: str, snapshot: CallSnapshot) -> Deferred[None]:
        """
        See L{ISnapshotStore.save}.
        """
        self.onSave(snapshot)
        self.saved.append(snapshot)
        saving = super().save(key, snapshot)
        if self.waiting is None:
            return saving
        done: Deferred[None] = Deferred()
        self.waiting.append(done)
        return done


@define(eq=False)
class House:
    """
    A recorder and all it stands on.

    @ivar root: the recordings directory; it is made here.
    """

    root: str
    clock: Clock = field(factory=Clock, init=False)
    wire: Wire = field(factory=Wire, init=False)
    workers: ImmediateWorkers = field(factory=ImmediateWorkers, init=False)
    renderer: FakeRenderer = field(factory=FakeRenderer, init=False)
    store: WatchedStore = field(factory=WatchedStore, init=False)
    capture: FakeCapture = field(factory=FakeCapture, init=False)
    ports: FakePortPool = field(init=False)
    running: RunningRecordings = field(init=False)
    metrics: Metrics = field(init=False)
    service: Recordings = field(init=False)
    layer: SipLayer = field(init=False)
    around: Surroundings = field(init=False)
    recorder: Recorder = field(init=False)
    authenticator: Authenticator = field(init=False)
    doorway: Doorway = field(init=False)

    def __attrs_post_init__(self) -> None:
        os.makedirs(self.root, exist_ok=True)
        node = nodeID("n1")
        self.ports = FakePortPool(10000, 20, failure=NoFreePorts("no free pair in 10000-10039"))
        self.metrics = Metrics("0", node)
        self.running = RunningRecordings(self.root, node)
        self.running.acquire()
        self.service = Recordings(
            Equipment(
                node=node,
                root=self.root,
                store=self.store,
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
        self.service.startService()
        self.layer = SipLayer(self.clock, self.wire)
        self.around = Surroundings(
            service=self.service,
            outgoing=Outgoing(self.layer, self.wire),
            clock=self.clock,
            now=self.now,
            metrics=self.metrics,
            mediaHosts=lambda flow: ("192.0.2.1", "0.0.0.0"),
            describe=lambda request, flow: describeDialog(request, flow, []),
            negotiation=lambda: Negotiation(Policy(receiving=not self.service.full)),
        )
        self.recorder = Recorder(self.around, self.layer, self.wire)
        self.layer.user = self.recorder
        self.authenticator = Authenticator(Nonces(b"key", self.now), Replays(300, self.now))
        self.doorway = Doorway(
            self.layer,
            self.layer,
            self.authenticator,
            Throttle(self.clock.seconds),
            self.now,
            self.recorder.notReady,
        )

    def now(self) -> float:
        """
        @return: the wall clock.
        """
        return START + self.clock.seconds()

    def admit(self, *tables: dict[str, object], digest: bool = False) -> None:
        """
        Let in just these peers.
        """
        peers = PeerList(readPeers(list(tables)), digest)
        self.recorder.peerList = self.doorway.peers = peers

    def close(self) -> None:
        """
        End everything; what is left on the clock is a leak.
        """
        self.workers.finish()
        self.recorder.stopCalls(503, "test is over")
        self.layer.stop()
        self.service.stopService()
        self.running.release()

    def feed(self, message: Request | Response, flow: Flow) -> list[Request | Response]:
        """
        Let a message come in.

        @return: what was sent since this was last asked.
        """
        self.doorway.messageReceived(parseMessage(message.serialize()), flow)
        return self.wire.take()

    def wait(self, seconds: float) -> list[Request | Response]:
        """
        Let time go by, in steps of an eighth of a second.

        @return: what was sent meanwhile.
        """
        self.clock.pump([0.125] * round(seconds * 8))
        return self.wire.take()

    def files(self) -> list[str]:
        """
        @return: every file below the recordings directory but locks, relative.
        """
        found = []
        for folder, _, names in os.walk(self.root):
            found += [os.path.relpath(os.path.join(folder, name), self.root) for name in names]
        return sorted(name for name in found if not name.endswith(".lock"))

    def manifests(self) -> list[dict[str, Any]]:
        """
        @return: every manifest on the disk, the oldest recording first.
        """
        found = []
        for name in self.files():
            if os.path.basename(name) == "recording.json":
                with open(os.path.join(self.root, name), "rb") as file:
                    found.append(json.load(file))
        return found

    @property
    def manifest(self) -> dict[str, Any]:
        """
        The manifest of the only recording.
        """
        [manifest] = self.manifests()
        return manifest

    def document(self, number: int) -> bytes:
        """
        @return: a metadata document of the only recording, as it was kept.
        """
        [name] = [each for each in self.files() if each.endswith(f"/metadata-{number}.xml")]
        with open(os.path.join(self.root, name), "rb") as file:
            return file.read()

    def events(self) -> list[str]:
        """
        @return: the types of the only recording's events.
        """
        return [each["type"] for each in self.manifest["events"]]

    def count(self, line: str) -> bool:
        """
        @return: whether the metrics have this line.
        """
        return line in self.metrics.exposition().decode().splitlines()
