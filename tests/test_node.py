"""
Tests of L{siprec.node}.
"""

from __future__ import annotations

import os
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from siprec.config import Settings, loadSettings
from siprec.metrics import Metrics
from siprec.node import Node, makeNode
from siprec.session.archive import NoSuchRecording
from siprec.session.manifest import Manifest, describe, writeManifest
from siprec.session.running import NodeInUse, Orphan, RunningRecordings
from siprec.sip.flow import Flow
from siprec.sip.interfaces import IServerTransaction, ITransactionUser
from siprec.sip.message import Request, parseMessage
from siprec.sip.transport import ListenFailed
from siprec.store.memory import MemorySnapshotStore
from siprec.testing.control import ImmediateWorkers
from siprec.testing.fakes import FakeSipTransport
from siprec.web.interfaces import INodeControl, NotRunning
from tests.session.recordings import NODE, dialog, identity, session
from tests.session.servicecase import metric

LISTEN = "tcp:8080:interface=127.0.0.1"


def settingsFor(root: str, **overrides: object) -> Settings:
    """
    @return: settings of a node that keeps its recordings in C{root}.
    """
    given = {key.replace("__", "."): value for key, value in overrides.items()}
    return loadSettings(None, {"node.id": NODE, "recordings.directory": root, **given})


class _Reactor(MemoryReactorClock):
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
class _Part(Service):
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
class _Sessions(_Part):
    """
    A session service that finishes when it is told to.
    """

    draining: bool = False
    recordings: dict[str, Any] = field(factory=dict)
    waiting: list[Deferred[None]] = field(factory=list)

    def drained(self) -> Deferred[None]:
        self.notes.append("drained?")
        if not self.recordings:
            return succeed(None)
        self.waiting.append(Deferred())
        return self.waiting[-1]


@define(eq=False, slots=False)
class _Transport(_Part):
    """
    Listens nowhere.
    """

    addresses: list[tuple[str, str, int]] = field(factory=lambda: [("UDP", "192.0.2.1", 5060)])


@define(eq=False, slots=False)
class _Workers(_Part, ImmediateWorkers):
    """
    Works at once.
    """

    called: list[str] = field(factory=list)


@define(eq=False)
class _Live:
    """
    A recording that runs.
    """

    recording: Any
    events: list[dict[str, Any]] = field(factory=list)

    def event(self, type: str, **facts: Any) -> None:
        self.events.append({"type": type, **facts})

    def manifest(self) -> Manifest:
        return {"id": self.recording.id, "state": "finishing"}


@define(eq=False)
class _Call:
    """
    A call that runs.
    """

    live: _Live | None
    stopped: list[tuple[int, str]] = field(factory=list)

    def stop(self, cause: int, reason: str) -> None:
        self.stopped.append((cause, reason))


@define(eq=False)
class _Recorder:
    """
    Has calls.
    """

    notes: list[str]
    calls: dict[str, _Call] = field(factory=dict)
    reasons: list[str] = field(factory=list)

    def stopCalls(self, cause: int, reason: str) -> None:
        self.notes.append(f"calls {cause} {reason}")

    def notReady(self) -> list[str]:
        return self.reasons


@define(eq=False)
class _Layer:
    """
    Forgets its transactions when it is told to.
    """

    notes: list[str]

    def stop(self) -> None:
        self.notes.append("-layer")


@define(eq=False)
class _Recovery:
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
        self.reactor = _Reactor()
        self.parts: dict[str, Any] = {
            "workers": _Workers("workers", self.notes),
            "archive": _Workers("archive", self.notes),
            "capture": _Part("capture", self.notes),
            "renderer": _Part("renderer", self.notes),
            "sessions": _Sessions("sessions", self.notes),
            "transport": _Transport("transport", self.notes),
            "recorder": _Recorder(self.notes),
            "layer": _Layer(self.notes),
            "recovery": _Recovery(),
        }
        self.store = MemorySnapshotStore()
        self.addCleanup(lambda: self.assertEqual(self.reactor.getDelayedCalls(), []))
        self.node = self.makeNode()

    def makeNode(self, **overrides: object) -> Node:
        """
        @return: a node with the test's parts.
        """
        running = RunningRecordings(self.root, NODE)
        self.addCleanup(running.release)
        return Node(
            settings=settingsFor(self.root, **{"http__listen": LISTEN, **overrides}),
            metrics=Metrics("1.2.3", NODE),
            store=self.store,
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


class StartTests(NodeTestCase):
    """
    The start, part by part.
    """

    def test_order(self) -> None:
        """
        What blocks first, the network last, and what an earlier life left is
        taken up at once.
        """
        running = RunningRecordings(self.root, NODE)
        running.acquire()
        running.add(identity(), f"{self.root}/2026/x")
        running.release()
        self.node.startService()
        self.assertEqual(
            self.notes,
            ["+workers", "+archive", "+capture", "+renderer", "+sessions", "+transport"],
        )
        self.assertEqual(
            self.parts["recovery"].orphans, [Orphan(NODE, identity(), f"{self.root}/2026/x")]
        )
        [(port, *_, interface)] = self.reactor.tcpServers
        self.assertEqual((interface, port), ("127.0.0.1", 8080))
        self.assertEqual(self.node.httpAddress, ("0.0.0.0", 8080))  # of the fake port
        self.assertTrue(self.node.running)
        self.assertRaises(NodeInUse, RunningRecordings(self.root, NODE).acquire)
        self.successResultOf(self.stop())

    def test_noHTTP(self) -> None:
        """
        An empty C{http.listen} is no server.
        """
        self.start(http__listen="")
        self.assertEqual(self.reactor.tcpServers, [])
        self.assertIsNone(self.node.httpAddress)
        self.successResultOf(self.stop())

    def test_unixSocket(self) -> None:
        """
        A socket that is no internet address has no host and port.
        """
        self.start()
        http: Any = self.node._http
        http.getHost = lambda: UNIXAddress("/run/siprec.sock")
        self.assertIsNone(self.node.httpAddress)
        self.successResultOf(self.stop())

    def test_inUse(self) -> None:
        """
        Where the node runs already, nothing is started at all.
        """
        other = RunningRecordings(self.root, NODE)
        other.acquire()
        self.addCleanup(other.release)
        self.assertRaises(NodeInUse, self.node.startService)
        self.assertEqual(self.notes, [])
        self.assertFalse(self.node.running)

    def test_rollBack(self) -> None:
        """
        If a part cannot start, those that have are stopped in reverse, the
        error says what it was, and the node's name is free again.
        """
        failure = ListenFailed("udp:5060", "Address already in use")
        self.parts["transport"].failure = failure
        self.parts["capture"].stopping = Deferred()  # needs a reactor that runs
        error = self.assertRaises(ListenFailed, self.node.startService)
        self.assertIn("udp:5060: cannot listen: Address already in use", str(error))
        started = ["+workers", "+archive", "+capture", "+renderer", "+sessions"]
        stopped = ["-sessions", "-renderer", "-capture", "-archive", "-workers"]
        self.assertEqual(self.notes, started + stopped)
        self.assertFalse(self.node.running)
        self.assertFree()

    def test_rollBackFails(self) -> None:
        """
        A part that cannot be stopped either is logged, and does not hide why
        the start failed.
        """
        self.parts["transport"].failure = ListenFailed("udp:5060", "no")
        self.parts["renderer"].stopping = Deferred()
        self.assertRaises(ListenFailed, self.node.startService)
        self.parts["renderer"].stopping.errback(ValueError("stuck"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_again(self) -> None:
        """
        After a failed start another one may succeed.
        """
        self.parts["transport"].failure = ListenFailed("udp:5060", "no")
        self.assertRaises(ListenFailed, self.node.startService)
        self.parts["transport"].failure = None
        self.node.startService()
        self.successResultOf(self.stop())

    def test_httpInUse(self) -> None:
        """
        If the HTTP address cannot be had, the error names the key; the SIP
        sockets are closed again.
        """
        self.reactor.broken = True
        error = self.assertRaises(OSError, self.node.startService)
        self.assertIn(f"http.listen {LISTEN}: ", str(error))
        self.assertIn("Address already in use", str(error))
        self.assertEqual(self.notes[-6], "-transport")
        self.assertFree()

    def test_httpBad(self) -> None:
        """
        The same for a certificate that is not there.
        """
        listen = "ssl:8443:privateKey=/nowhere/key.pem:certKey=/nowhere/cert.pem"
        error = self.assertRaises(OSError, self.makeNode(http__listen=listen).startService)
        self.assertIn(f"http.listen {listen}: ", str(error))
        self.assertFree()

    def test_notWritable(self) -> None:
        """
        A recordings directory that cannot be made is named with its key.
        """
        with open(self.root, "w"):
            pass
        error = self.assertRaises(OSError, self.node.startService)
        self.assertIn(f"recordings.directory {self.root}: ", str(error))
        self.assertEqual(self.notes, [])

    def test_recoveryFails(self) -> None:
        """
        An error that the recovery had not foreseen ends the recovery alone.
        """
        self.start()
        self.parts["recovery"].done.errback(ValueError("bad"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.successResultOf(self.stop())


class StopTests(NodeTestCase):
    """
    The stop, part by part.
    """

    def test_order(self) -> None:
        """
        No new call; a BYE for those that run; their files; then the sockets;
        and what all of that needs at the last.
        """
        self.start()
        self.successResultOf(self.store.save("x", Any))  # type: ignore[arg-type]
        self.parts["sessions"].recordings["x"] = None
        stopped = self.stop()
        self.assertTrue(self.parts["sessions"].draining)
        self.assertEqual(self.notes, ["calls 503 drained", "drained?"])
        self.assertNoResult(stopped)
        self.parts["sessions"].recordings.clear()
        self.parts["sessions"].waiting[0].callback(None)
        self.successResultOf(stopped)
        closing = ["-renderer", "-transport", "-capture", "-layer", "drained?"]
        self.assertEqual(self.notes[2:], [*closing, "-sessions", "-archive", "-workers"])
        self.assertEqual(self.successResultOf(self.store.list()), [])
        self.assertFalse(self.node.running)
        self.assertFree()

    def test_timeout(self) -> None:
        """
        Recordings that are not finished in time are left, with a log entry,
        early enough for all else to be closed within C{node.drain_timeout}.
        """
        self.start(node__drain_timeout=30)
        self.parts["sessions"].recordings["x"] = None
        stopped = self.stop()
        self.reactor.advance(26.9)
        self.assertNotIn("-renderer", self.notes)
        with capturedLogs() as logs:
            self.reactor.advance(0.1)
        self.assertEqual(logs[0]["sessions"], 1)
        self.assertIn("-transport", self.notes)
        # Rendering was given up: the recording says so and is done with.
        self.assertNoResult(stopped)
        self.parts["sessions"].waiting[1].callback(None)
        self.successResultOf(stopped)

    def test_everythingHangs(self) -> None:
        """
        Whatever hangs, the end comes within C{node.drain_timeout}, and the
        other parts are stopped.
        """
        for timeout in (30.0, 1.0):
            self.setUp()
            self.start(node__drain_timeout=timeout)
            self.parts["sessions"].recordings["x"] = None
            for name in ("renderer", "capture", "transport"):
                self.parts[name].stopping = Deferred()
            stopped = self.node.stopService()
            with capturedLogs() as logs:
                self.reactor.pump([0.1] * round(timeout * 10 + 1))
            self.successResultOf(stopped)
            hanging = {each["part"] for each in logs if "part" in each}
            self.assertEqual(hanging, {"renderer", "SIP", "capture"})
            self.assertEqual(len(self.flushLoggedErrors(CancelledError)), 1)  # the recovery
            self.assertEqual(self.notes[-3:], ["-sessions", "-archive", "-workers"])
            self.assertFree()

    def test_partFails(self) -> None:
        """
        A part that fails to stop is logged and holds nothing up.
        """
        self.start()
        self.parts["transport"].stopping = Deferred()
        stopped = self.stop()
        with capturedLogs() as logs:
            self.parts["transport"].stopping.errback(ValueError("stuck"))
        self.successResultOf(stopped)
        self.assertEqual([each["part"] for each in logs], ["SIP"])
        self.assertIn("stuck", logs[0]["why"])

    def test_recovery(self) -> None:
        """
        The stop waits for the recovery, which ends with the renderer.
        """
        self.start()
        stopped = self.node.stopService()
        self.assertNoResult(stopped)
        self.parts["recovery"].done.callback(None)
        self.successResultOf(stopped)


class ControlTests(NodeTestCase):
    """
    What operators ask for.
    """

    def setUp(self) -> None:
        super().setUp()
        self.live = _Live(session(self.root))
        self.call = _Call(self.live)
        self.parts["recorder"].calls = {"opening": _Call(None), "x": self.call}

    def test_interface(self) -> None:
        """
        It is what the HTTP interface needs.
        """
        verifyObject(INodeControl, self.node)

    def test_ready(self) -> None:
        """
        It is ready when its recorder is.
        """
        self.assertEqual(self.node.notReady(), [])
        self.parts["recorder"].reasons = ["full"]
        self.assertEqual(self.node.notReady(), ["full"])

    def test_nodes(self) -> None:
        """
        It describes itself.
        """
        self.parts["sessions"].recordings["x"] = None
        [described] = self.successResultOf(self.node.nodes())
        self.assertEqual(described["id"], "node-a")
        self.assertEqual((described["sessions"], described["ready"]), (1, True))
        self.assertEqual(described["draining"], False)
        self.assertEqual(described["sip"], ["udp:192.0.2.1:5060"])

    def test_drain(self) -> None:
        """
        Draining refuses new calls and ends those that run, once.
        """
        for _ in range(2):
            self.successResultOf(self.node.drain())
        self.assertTrue(self.parts["sessions"].draining)
        self.assertEqual(self.notes, ["calls 503 drained"])

    def test_stopRunning(self) -> None:
        """
        A recording that runs is ended, with who did it, and shown.
        """
        stopped = self.node.stopRecording(self.live.recording.id, "192.0.2.7")
        self.assertEqual(self.successResultOf(stopped)["state"], "finishing")
        self.assertEqual(self.live.events, [{"type": "stopped", "who": "192.0.2.7"}])
        self.assertEqual(self.call.stopped, [(200, "stopped")])

    def test_stopEnded(self) -> None:
        """
        One that is over cannot be ended.
        """
        recording = session(self.root, 7)
        os.makedirs(recording.directory)
        writeManifest(recording.directory, describe(recording))
        self.failureResultOf(self.node.stopRecording(recording.id, "x"), NotRunning)
        self.assertEqual(self.call.stopped, [])

    def test_stopUnknown(self) -> None:
        """
        Nor one that there is not, or that cannot be.
        """
        for name in (identity(9), "../../etc/passwd", ""):
            self.failureResultOf(self.node.stopRecording(name, "x"), NoSuchRecording)


@implementer(ITransactionUser)
class _BrokenUser:
    """
    Has a bug.
    """

    def requestReceived(
        self, transaction: IServerTransaction, request: Request, flow: Flow
    ) -> None:
        raise ValueError("bug")

    def ackReceived(self, ack: Request, flow: Flow) -> None: ...

    def cancelReceived(self, transaction: IServerTransaction, cancel: Request) -> None: ...

    def transactionEnded(self, transaction: IServerTransaction) -> None: ...


_OPTIONS = (
    b"OPTIONS sip:srs@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\n"
    b"From: <sip:a@b>;tag=1\r\nTo: <sip:srs@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
    b"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


class MakeTests(SynchronousTestCase):
    """
    A real node, put together but not started.
    """

    def setUp(self) -> None:
        self.reactor: Any = _Reactor()
        self.root = os.path.abspath(self.mktemp())
        self.node = self.make()

    def make(self, **overrides: object) -> Node:
        """
        @return: a node whose SIP messages go nowhere.
        """
        node = makeNode(self.reactor, settingsFor(self.root, **overrides))
        node.layer.transport = FakeSipTransport()
        return node

    def request(self, node: Node) -> None:
        """
        Let a request come.
        """
        message = parseMessage(_OPTIONS)
        node.layer.messageReceived(message, Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.9", 5060)))

    def test_nothingOpened(self) -> None:
        """
        Nothing is opened, and no directory made, before the start.
        """
        self.assertFalse(os.path.exists(self.root))
        self.assertEqual(self.node.sipAddresses, [])
        self.assertIsNone(self.node.httpAddress)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_shortRepr(self) -> None:
        """
        What a node says of itself does not grow with its calls: the standard
        library asks for it at each process that is started, and for hundreds
        of calls that took seconds.
        """
        node = self.node
        for part in (node, node.recorder, node.sessions, node.store, node.capture):
            self.assertLess(len(repr(part)), 200)

    def test_wired(self) -> None:
        """
        Requests reach the recorder and are answered by its transport.
        """
        self.request(self.node)
        sip: Any = self.node.layer.transport
        [answer] = sip.take()
        # Nobody has looked at the disk yet.
        self.assertEqual(answer.status, 503)
        self.node.layer.stop()

    def test_dropped(self) -> None:
        """
        Only what got no answer counts as dropped.
        """
        counters = self.node.layer.counters
        dropped = ("badMessages", "strayAcks", "strayResponses", "lateResponses", "afterStop")
        for name in (*dropped, "retransmissions", "badRequests", "sendFailures"):
            counters[name] += 1
        text = self.node.metrics.exposition().decode()
        for name in dropped:
            self.assertIn(f'siprec_sip_dropped_total{{reason="{name}"}} 1.0', text)
        self.assertEqual(text.count("siprec_sip_dropped_total{"), len(dropped))

    def test_unhandled(self) -> None:
        """
        An error that the SIP layer catches counts as unforeseen.
        """
        self.node.layer.user = _BrokenUser()
        self.request(self.node)
        self.assertEqual(metric(self.node.metrics, "siprec_unhandled_errors_total"), 1)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.node.layer.stop()

    def test_watched(self) -> None:
        """
        What the parts count can be scraped without one of them failing.
        """
        with capturedLogs() as logs:
            text = self.node.metrics.exposition().decode()
        self.assertEqual(list(logs), [])
        for name, value in (
            ("siprec_sessions", 0),
            ("siprec_ports_free", 5000),
            ("siprec_disk_free_bytes", 0),
            ("siprec_ready", 0),
            ("siprec_media_packets_total", 0),
            ("siprec_media_octets_total", 0),
            ("siprec_media_kernel_drops_total", 0),
        ):
            self.assertIn(f"\n{name} ", text)
            self.assertEqual(metric(self.node.metrics, name), value, name)

    def test_journalError(self) -> None:
        """
        The capture tells the sessions of journals that cannot be written.
        """
        stream: Any = None
        self.node.capture._onError(stream, OSError("full"))
        self.assertEqual(metric(self.node.metrics, "siprec_journal_errors_total"), 1)

    def test_mediaHosts(self) -> None:
        """
        The address in SDP is the configured one, else where the request came
        to; it is bound unless another one is configured.
        """
        flow = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.9", 5060))
        for overrides, expected in (
            ({}, ("192.0.2.1", "192.0.2.1")),
            ({"media__address": "203.0.113.1"}, ("203.0.113.1", "203.0.113.1")),
            ({"media__bind": "0.0.0.0"}, ("192.0.2.1", "0.0.0.0")),
        ):
            node = self.make(**overrides)
            self.assertEqual(node.recorder._around.mediaHosts(flow), expected)

    def test_snapshotStore(self) -> None:
        """
        The sessions' snapshots are in the node's own store.
        """
        live: Any = _Live(session(self.root))
        saved = Deferred.fromCoroutine(self.node.sessions.save(live, dialog()))
        self.successResultOf(saved)
        self.assertEqual(self.successResultOf(self.node.store.list()), [live.recording.id])
