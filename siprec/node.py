"""
A node: the tree of its services, started and stopped in order.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

from attrs import define, field
from twisted.application.service import IService, Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import (
    Deferred,
    DeferredList,
    TimeoutError,
    fail,
    maybeDeferred,
    succeed,
)
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from siprec import __version__
from siprec.config import Settings
from siprec.manhole import ManholeService
from siprec.media.capture import CaptureThread
from siprec.media.ports import PortPool
from siprec.metrics import Metrics
from siprec.recorder import Recorder, describeDialog
from siprec.render.process import Renderer
from siprec.sdp.choice import Policy
from siprec.session.archive import locate
from siprec.session.recovery import Recovery
from siprec.session.running import Orphan, RunningRecordings
from siprec.session.service import SessionService
from siprec.session.workers import Workers
from siprec.shell.interfaces import IShellNode
from siprec.sip.flow import Flow
from siprec.sip.layer import SipLayer
from siprec.sip.transport import TransportService
from siprec.store.memory import MemorySnapshotStore
from siprec.uas.admission import Profile
from siprec.uas.around import Surroundings
from siprec.uas.negotiation import Negotiation
from siprec.uas.outgoing import Outgoing
from siprec.web.interfaces import NotRunning
from siprec.web.site import makeSite

log = Logger()

#: Of C{node.drain_timeout}, what is kept back for closing the rest, in seconds,
#: and of that what is for the last writes.
_LAST_STEPS, _GRACE = 3.0, 0.5

#: Of what the SIP layer counts, that which nobody got an answer to.
_DROPPED = ("badMessages", "strayAcks", "strayResponses", "lateResponses", "afterStop")


@implementer(IShellNode)
@define(eq=False, repr=False, slots=False)
class Node(Service):
    """
    Everything that one process of the recorder is made of.  L{makeNode} puts
    it together.
    """

    settings: Settings
    metrics: Metrics
    layer: SipLayer
    transport: TransportService
    recorder: Recorder
    sessions: SessionService
    capture: CaptureThread
    renderer: Renderer
    workers: Workers
    archive: Workers
    store: MemorySnapshotStore
    running_: RunningRecordings
    recovery: Recovery
    _reactor: Any
    manhole: ManholeService = field(init=False)
    _http: IListeningPort | None = field(default=None, init=False)
    _recovering: Deferred[None] = field(factory=lambda: succeed(None), init=False)
    _started: list[IService] = field(factory=list, init=False)

    @manhole.default
    def _makeManhole(self) -> ManholeService:
        keys = self.settings.manhole
        return ManholeService(self._reactor, keys.listen, keys.authorizedKeys, keys.hostKey, self)

    # Service.

    def startService(self) -> None:
        """
        Start everything; nothing has been taken from the network before all of
        it is there.  If a part cannot start, those before it are stopped again.

        @raise NodeInUse: another live process is this node.
        @raise ListenFailed: a SIP address cannot be had.
        @raise OSError: the recordings directory cannot be written, the address
            for HTTP or the SSH shell cannot be had, or the shell's keys.
        """
        try:
            orphans = self._becomeNode()
            for part in (
                *(self.workers, self.archive, self.capture),
                *(self.renderer, self.sessions, self.transport, self.manhole),
            ):
                part.startService()
                self._started.append(part)
            self._listenHTTP()
        except BaseException:
            self._takeBack()
            raise
        super().startService()
        recovering = Deferred.fromCoroutine(self.recovery.run(orphans))
        self._recovering = recovering.addErrback(
            lambda failure: log.failure("recovery failed", failure)
        )
        log.info(
            "node {node} {version}: SIP on {addresses}, recordings in {directory}",
            node=self.settings.node.id,
            version=__version__,
            addresses=", ".join(f"{t} {h}:{p}" for t, h, p in self.sipAddresses),
            directory=self.settings.recordings.directory,
        )

    def _becomeNode(self) -> list[Orphan]:
        try:
            self.running_.acquire()
            return self.running_.orphans()
        except OSError as error:
            root = self.settings.recordings.directory
            raise OSError(f"recordings.directory {root}: {error}") from error

    def _takeBack(self) -> None:
        while self._started:
            # In a program that ends there is nobody to wait for it.
            stop: Callable[[], Any] = self._started.pop().stopService
            stopping = maybeDeferred(stop)
            stopping.addErrback(lambda failure: log.failure("not stopped", failure))
        self.running_.release()

    def stopService(self) -> Deferred[None]:
        """
        Drain, then stop: no new call is taken, running ones are ended with a
        BYE, their files are completed, and only then are the sockets closed.

        @return: fires when nothing is left, at the latest after
            C{node.drain_timeout}.
        """
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self.sessions.draining = True
        self.recorder.stopCalls(503, "drained")
        timeout = self.settings.node.drainTimeout
        end = self._reactor.seconds() + timeout
        if not await self._until(end - min(_LAST_STEPS, timeout / 2), self.sessions.drained()):
            log.error(
                "{sessions} recordings are not finished: the next start does it",
                sessions=len(self.sessions.recordings),
            )
        await self._until(end - _GRACE, Deferred.fromCoroutine(self._close()))
        self.layer.stop()
        # What was being rendered has just been given up, and says so in files.
        await self._until(end, self.sessions.drained())
        self.sessions.stopService()
        self.archive.stopService()
        self.workers.stopService()
        self.store.clear()
        self.running_.release()

    async def _until(self, end: float, done: Deferred[None]) -> bool:
        """
        Wait for something until a time of the reactor's clock.

        @return: whether it has come.
        """
        try:
            await done.addTimeout(max(end - self._reactor.seconds(), 0), self._reactor)
        except TimeoutError:
            return False
        return True

    async def _close(self) -> None:
        # All at once: one that hangs must not take the time of the others.
        closing: dict[str, Deferred[Any]] = {
            "renderer": self.renderer.stopService(),
            "recovery": self._recovering,  # it ends with the renderer
            "SIP": self.transport.stopService(),
            "capture": self.capture.stopService(),
            "SSH shell": self.manhole.stopService(),
        }
        if self._http is not None:
            closing["HTTP"] = maybeDeferred(self._http.stopListening)
        results = await DeferredList(closing.values(), consumeErrors=True)
        for part, (success, result) in zip(closing, results, strict=True):
            if not success:
                log.error("{part} has not stopped: {why}", part=part, why=repr(result.value))

    @property
    def sipAddresses(self) -> list[tuple[str, str, int]]:
        """
        Transport, host and port of each SIP listener.
        """
        return self.transport.addresses

    @property
    def httpAddress(self) -> tuple[str, int] | None:
        """
        Host and port of the HTTP server, or C{None} where there is none.
        """
        if self._http is None:
            return None
        address = self._http.getHost()
        if not isinstance(address, IPv4Address | IPv6Address):
            return None
        return address.host, address.port

    def _listenHTTP(self) -> None:
        listen = self.settings.http.listen
        if not listen:
            return
        # What lists recordings must not hold up what writes them.
        site = makeSite(
            self, self.metrics, self.settings.recordings.directory, self.archive, self._reactor
        )
        outcomes: list[IListeningPort | Failure] = []
        listening = maybeDeferred(lambda: serverFromString(self._reactor, listen).listen(site))
        # TCP and TLS listen at once: the outcome is there before this returns.
        listening.addBoth(outcomes.append)
        (outcome,) = outcomes
        if isinstance(outcome, Failure):
            raise OSError(f"http.listen {listen}: {outcome.getErrorMessage()}") from outcome.value
        self._http = outcome

    # INodeControl.

    def notReady(self) -> list[str]:
        """
        See L{INodeControl.notReady}.
        """
        return self.recorder.notReady()

    def nodes(self) -> Deferred[list[dict[str, Any]]]:
        """
        See L{INodeControl.nodes}.
        """
        return succeed(
            [
                {
                    "id": self.settings.node.id,
                    "version": __version__,
                    "sessions": len(self.sessions.recordings),
                    "ready": not self.notReady(),
                    "draining": self.sessions.draining,
                    "sip": [f"{t.lower()}:{h}:{p}" for t, h, p in self.sipAddresses],
                }
            ]
        )

    def drain(self) -> Deferred[None]:
        """
        See L{INodeControl.drain}.
        """
        if not self.sessions.draining:
            log.info("{node}: draining", node=self.settings.node.id)
            self.sessions.draining = True
            self.recorder.stopCalls(503, "drained")
        return succeed(None)

    def stopRecording(self, recording: str, who: str) -> Deferred[dict[str, Any]]:
        """
        See L{INodeControl.stopRecording}.
        """
        for call in self.recorder.calls.values():
            live = call.live
            if live is not None and live.recording.id == recording:
                live.event("stopped", who=who)
                call.stop(200, "stopped")
                return succeed(live.manifest())
        found = self.workers.run(locate, self.settings.recordings.directory, recording)
        return found.addCallback(lambda _: fail(NotRunning(recording)))


def _mediaHosts(settings: Settings) -> Callable[[Flow], tuple[str, str]]:
    """
    @return: gives, for a flow, the address for SDP and the one to bind.
    """
    address, bind = settings.media.address, settings.media.bind

    def hosts(flow: Flow) -> tuple[str, str]:
        advertise = address or flow.local[0]
        return advertise, bind or advertise

    return hosts


def makeNode(reactor: Any, settings: Settings, now: Callable[[], float] = time.time) -> Node:
    """
    Put a node together; nothing is opened before it is started.

    @param reactor: provides time, UDP, TCP, TLS, threads, processes and name
        resolution.
    @param now: gives seconds since the Unix epoch.
    """
    metrics = Metrics(__version__, settings.node.id)
    store = MemorySnapshotStore()
    workers = Workers(reactor)
    running = RunningRecordings(settings.recordings.directory, settings.node.id)
    ports = PortPool(*settings.media.ports, reactor.seconds)
    capture = CaptureThread(
        reactor,
        settings.media.pollInterval,
        onError=lambda stream, error: sessions.journalFailed(stream, error),
    )
    renderer = Renderer(reactor, reactor, settings.recordings.workers)
    sessions = SessionService(
        node=settings.node.id,
        root=settings.recordings.directory,
        minFree=settings.recordings.minFree,
        store=store,
        ports=ports,
        capture=capture,
        renderer=renderer,
        workers=workers,
        running=running,
        clock=reactor,
        now=now,
        metrics=metrics,
        exclude=settings.metadata.exclude,
    )
    layer = SipLayer(reactor, unforeseen=metrics.unhandledErrors.inc)
    transport = TransportService(reactor, settings.sip.listen, settings.sip.advertise, layer)
    layer.transport = transport
    around = Surroundings(
        service=sessions,
        outgoing=Outgoing(layer, transport),
        clock=reactor,
        now=now,
        metrics=metrics,
        mediaHosts=_mediaHosts(settings),
        describe=lambda request, flow: describeDialog(request, flow, settings.metadata.exclude),
        negotiation=lambda: Negotiation(Policy()),
    )
    recorder = Recorder(
        around,
        layer,
        transport,
        profile=cast(Profile, settings.sip.profile),
        maxSessions=settings.sip.maxSessions,
    )
    layer.user = recorder
    metrics.watch("siprec_sessions", lambda: len(sessions.recordings))
    metrics.watch("siprec_ports_free", lambda: ports.free)
    metrics.watch("siprec_disk_free_bytes", lambda: sessions.diskFree or 0)
    metrics.watch("siprec_ready", lambda: not recorder.notReady())
    metrics.watch("siprec_media_packets_total", lambda: sessions.media("packets"))
    metrics.watch("siprec_media_octets_total", lambda: sessions.media("octets"))
    metrics.watch("siprec_media_kernel_drops_total", lambda: sessions.media("kernelDrops"))
    metrics.watch("siprec_sip_requests_total", lambda: layer.requests)
    metrics.watch("siprec_sip_responses_total", lambda: layer.responses)
    metrics.watch(
        "siprec_sip_dropped_total", lambda: {name: layer.counters[name] for name in _DROPPED}
    )
    return Node(
        settings=settings,
        metrics=metrics,
        layer=layer,
        transport=transport,
        recorder=recorder,
        sessions=sessions,
        capture=capture,
        renderer=renderer,
        workers=workers,
        archive=Workers(reactor, threads=1),
        store=store,
        running_=running,
        recovery=Recovery(running, renderer, workers, now, metrics),
        reactor=reactor,
    )
