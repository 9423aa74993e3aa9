"""
How a node is put together from its parts.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.internet.defer import Deferred

from siprec import __version__
from siprec.cluster.stitching import Stitching
from siprec.config import ConfigError, Settings
from siprec.entrance import makeEntrance
from siprec.media.capture import CaptureThread
from siprec.media.libsrtp import AVAILABLE
from siprec.media.ports import PortPool
from siprec.metrics import Metrics
from siprec.node import Node
from siprec.policies import takeUp
from siprec.recorder import Recorder
from siprec.render.form import Form
from siprec.render.process import Renderer
from siprec.render.pyav import decodable
from siprec.sdp.choice import Policy
from siprec.session.equipment import Equipment
from siprec.session.postponed import Postponed
from siprec.session.recordings import Recordings
from siprec.session.recovery import Recovery
from siprec.session.running import RunningRecordings
from siprec.session.senders import Senders
from siprec.session.service import SessionService
from siprec.session.syncing import Syncing
from siprec.session.workers import Workers
from siprec.sip.flow import unseen
from siprec.sip.interfaces import IMessageReceiver, ISipTransport
from siprec.sip.layer import SipLayer
from siprec.sip.transport import TransportService
from siprec.store.interfaces import ISessionStore
from siprec.store.opening import openStore
from siprec.trace.ring import TraceRing
from siprec.uas.around import Surroundings, mediaHosts
from siprec.uas.negotiation import Negotiation
from siprec.uas.origin import describeDialog
from siprec.uas.outgoing import Outgoing
from siprec.uas.upkeep import Upkeep
from siprec.watching import watchNode, watchReports, watchTrace, watchUpkeep

if TYPE_CHECKING:
    from siprec.cluster.cluster import Cluster

__all__ = ["Assembly", "makeNode"]


# Each waits for the disk, where those that do so together wait no longer than one.
_SYNCING = 8


def makeNode(reactor: Any, settings: Settings, now: Callable[[], float] = time.time) -> Node:
    """
    Put a node together; nothing is opened before it is started.

    @param reactor: provides time, UDP, TCP, TLS, threads, processes and name
        resolution.
    @param now: gives seconds since the Unix epoch.
    @raise ConfigError: a file that the configuration names cannot be read, or
        is not as it should be.
    """
    if settings.store.url == "memory:":
        return Assembly(reactor, settings, now).node()
    # A tenth of what a start takes, which a node by itself does without.
    from siprec.clustering import ClusterAssembly

    return ClusterAssembly(reactor, settings, now).node()


class Assembly:
    """
    The parts, in the order in which one can be made of the others: of a node by itself.
    """

    def __init__(self, reactor: Any, settings: Settings, now: Callable[[], float]) -> None:
        self.reactor, self.settings, self.now = reactor, settings, now
        self.metrics = Metrics(__version__, settings.node.id)
        self.ring = TraceRing(settings.trace.messages, settings.trace.bytes, now)
        self.syncers = Workers(reactor, threads=_SYNCING)
        self.workers = Workers(reactor, beside=self.syncers)
        self.running = RunningRecordings(settings.recordings.directory, settings.node.id)
        self.ports = PortPool(*settings.media.ports, reactor.seconds)
        self.capture = CaptureThread(
            reactor,
            settings.media.pollInterval,
            onError=lambda stream, error: self.recordings.journalFailed(stream, error),
            onSender=lambda *news: self.senders.tell(*news),
            sync=settings.recordings.fsync,
            reportInterval=settings.media.rtcpInterval,
        )
        self.postponed = Postponed(
            reactor,
            lambda: self.entrance.intake.messages,
            waited=lambda: self.entrance.intake.waited,
        )
        self.renderer = Renderer(reactor, reactor, settings.recordings.workers)
        audio = settings.recordings
        self.renderer.split, self.renderer.maskDigits = audio.split, audio.maskDtmf
        self.renderer.form = Form(audio.format, audio.layout, audio.peaks)
        self.cluster: Cluster | None = None
        self.state = self._state()
        self.recordings = Recordings(
            Equipment(
                node=settings.node.id,
                root=settings.recordings.directory,
                store=self.state.keeper,
                ports=self.ports,
                capture=self.capture,
                renderer=self.renderer,
                workers=self.workers,
                syncers=self.syncers,
                running=self.running,
                clock=reactor,
                now=now,
                metrics=self.metrics,
                postponed=self.postponed,
            ),
            minFree=settings.recordings.minFree,
            window=settings.cluster.stitchWindow,
        )
        self.recordings.syncing = Syncing(
            reactor,
            self.workers,
            self.running,
            lambda: self.recordings.recordings.values(),
            settings.recordings.fsync,
        )
        self.state.recordings = self.recordings
        self.senders = Senders(self.recordings.recordings, reactor.seconds)
        self.recovery = Recovery(self.running, self.renderer, self.workers, now, self.metrics)
        self.layer = SipLayer(reactor, unforeseen=self.metrics.unhandledErrors.inc)

    def _state(self) -> SessionService:
        settings = self.settings
        return SessionService(
            self._store(),
            self.reactor,
            nodeID=settings.node.id,
            heartbeatInterval=settings.session.heartbeatInterval,
            cleanupInterval=settings.session.cleanupInterval,
            sessionTimeout=settings.session.timeout,
            instance=uuid.uuid4().hex,
            now=self.now,
            addresses=lambda: tuple(
                f"{kind.lower()}:{host}:{port}"
                for kind, host, port in self.transport.addresses or self.transport.planned
            ),
            signs=lambda: self.recorder.signs(),
            count=lambda: len(self.recordings.recordings),
            saveAll=lambda: Deferred.fromCoroutine(self.recorder.saveAll()),
            onFenced=self._fenced,
            onDead=lambda key: self.recorder.endDead(key),
            onLapsed=self._lapsed,
            leaseData=lambda: {} if self.cluster is None else self.cluster.leaseData(),
        )

    def _store(self) -> ISessionStore:
        node, store = self.settings.node.id, self.settings.store
        try:
            return openStore(
                self.reactor,
                node,
                store.url,
                store.backup,
                timeout=store.timeout,
                prefix=store.prefix,
                passwordFile=store.passwordFile,
            )
        except (OSError, ValueError) as error:
            # Of what the address names, files of certificates may be missing, too.
            key, value = (
                ("password_file", store.passwordFile)
                if store.passwordFile
                else (
                    "url",
                    store.url,
                )
            )
            raise ConfigError(f"store.{key}", value, f"files that can be used ({error})") from error

    def _fenced(self, key: str) -> None:
        if self.cluster is None:
            self.recorder.letGo(key)
        else:
            self.cluster.fenced(key)

    def isCutOff(self) -> bool:
        """
        @return: whether other nodes may have taken this one's calls, unseen.
        """
        return self.cluster is not None and self.cluster.isolation.isCutOff()

    def _lapsed(self) -> None:
        if self.cluster is not None:
            self.cluster.belief.lapsed()
            self.cluster.wakefulness.doubt("the lease was over")

    def node(self) -> Node:
        """
        @return: all of it.
        """
        settings = self.settings
        self.connect()
        self._stitch()
        self.layer.user = self.recorder
        self.entrance.configure(settings, self.recorder)
        watchNode(
            self.metrics,
            self.recordings,
            self.ports,
            self.recorder,
            self.layer,
            self.state,
            self.entrance,
        )
        watchTrace(self.metrics, self.ring)
        upkeep = Upkeep(
            self.around,
            self.recorder.calls.values,
            mediaTimeout=settings.session.mediaTimeout,
            probeAfter=settings.session.probeAfter,
            maxLength=settings.session.maxLength,
        )
        watchUpkeep(self.metrics, upkeep)
        watchReports(self.metrics, self.capture.reports)
        return Node(
            settings=settings,
            metrics=self.metrics,
            layer=self.layer,
            transport=self.transport,
            recorder=self.recorder,
            entrance=self.entrance,
            sessions=self.recordings,
            capture=self.capture,
            renderer=self.renderer,
            workers=self.workers,
            archive=Workers(self.reactor, threads=1),
            state=self.state,
            running_=self.running,
            recovery=self.recovery,
            now=self.now,
            reactor=self.reactor,
            cluster=self.cluster,
            ring=self.ring,
            upkeep=upkeep,
        )

    def connect(self) -> None:
        """
        Make what takes and answers requests.
        """
        # Nobody else can see what is in the store.
        self.transport = self.makeTransport(self.layer)
        self.recorder = self.makeRecorder(self.transport)
        self.layer.transport = self.transport

    def _stitch(self) -> None:
        cluster = self.cluster
        stitching = Stitching(
            self.reactor,
            self.settings.node.id,
            self.state.store,
            self.state.adapter,
            self.recordings,
            self.recorder,
            self.now,
            (lambda node: False) if cluster is None else cluster.knowledge.isDead,
            (lambda key: None) if cluster is None else cluster.knowledge.beingTakenUp,
            self.settings.cluster.stitchWindow,
            None if cluster is None else cluster.links,
        )
        self.around.predecessor = stitching.predecessor

    def makeTransport(self, receiver: IMessageReceiver) -> TransportService:
        """
        @param receiver: gets what is let in.
        """
        witness = self.ring.note if self.ring.messages else unseen
        self.entrance = makeEntrance(
            self.reactor,
            self.settings,
            self.layer,
            self.now,
            receiver,
            witness,
            self.state.instance,
        )
        return self.entrance.transport

    def makeRecorder(self, transport: ISipTransport) -> Recorder:
        """
        @param transport: by which a final response goes out again.
        """
        settings, recordings = self.settings, self.recordings
        policy = Policy(
            codecs=(*Policy().codecs, *decodable()), keeps=settings.recordings.keepUndecodable
        )
        self.around = Surroundings(
            service=recordings,
            outgoing=Outgoing.over(self.layer, transport, self.reactor),
            clock=self.reactor,
            now=self.now,
            metrics=self.metrics,
            mediaHosts=mediaHosts(settings.media.address, settings.media.bind),
            describe=lambda request, flow: describeDialog(
                request, flow, recordings.exclude, recordings.mask
            ),
            snapshots=settings.metadata.snapshotRequest,
            negotiation=lambda: Negotiation(
                evolve(policy, receiving=not recordings.full, suites=AVAILABLE)
            ),
            ways=settings.cluster.mediaTakeover,
            isCutOff=self.isCutOff,
        )
        recorder = Recorder(self.around, self.layer, transport)
        self.around.source = lambda flow: recorder.peerList.source(flow) or settings.media.source
        self.around.srtp = lambda flow: recorder.peerList.srtp(flow) or recorder.srtp
        takeUp(settings, recorder, recordings)
        return recorder
