"""
How a node is put together from its parts.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed

from siprec import __version__
from siprec.cluster.cluster import Cluster
from siprec.cluster.continuing import Continuation
from siprec.cluster.credentials import Credentials
from siprec.cluster.gate import Gate
from siprec.cluster.keys import newKey
from siprec.cluster.links import ClusterLinks
from siprec.cluster.listening import listenAt
from siprec.cluster.noncecounts import NonceCounts
from siprec.cluster.places import Places
from siprec.cluster.stitching import Stitching
from siprec.cluster.wakefulness import Wakefulness
from siprec.config import ClusterSettings, ConfigError, Settings
from siprec.entrance import makeEntrance
from siprec.media.capture import CaptureThread
from siprec.media.libsrtp import AVAILABLE
from siprec.media.ports import PortPool
from siprec.metrics import Metrics
from siprec.node import Node
from siprec.policies import takeUp
from siprec.recorder import Recorder
from siprec.render.form import Form
from siprec.render.libav import decodable
from siprec.render.process import Renderer
from siprec.sdp.choice import Policy
from siprec.session.equipment import Equipment
from siprec.session.postponed import Postponed
from siprec.session.recordings import Recordings
from siprec.session.recovery import Recovery
from siprec.session.running import RunningRecordings
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
from siprec.watching import watchCluster, watchNode, watchReports, watchTrace, watchUpkeep

__all__ = ["makeNode"]


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
    return _Assembly(reactor, settings, now).node()


class _Assembly:
    """
    The parts, in the order in which one can be made of the others.
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
            sync=settings.recordings.fsync,
            reportInterval=settings.media.rtcpInterval,
        )
        self.postponed = Postponed(reactor, lambda: self.entrance.intake.messages)
        self.renderer = Renderer(reactor, reactor, settings.recordings.workers)
        self.renderer.split = settings.recordings.split
        audio = settings.recordings
        self.renderer.form = Form(audio.format, audio.layout, audio.peaks)
        self.renderer.maskDigits = settings.recordings.maskDtmf
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
        self.recovery = Recovery(self.running, self.renderer, self.workers, now, self.metrics)
        self.places = Places(settings.media.address)
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

    def _isCutOff(self) -> bool:
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
        if settings.store.url == "memory:":
            # Nobody else can see what is in there.
            self.transport = self._transport(self.layer)
            self.recorder = self._recorder(self.transport)
            self.layer.transport = self.transport
        else:
            self._join()
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

    def _join(self) -> None:
        """
        Make it a node among others.
        """
        settings, reactor = self.settings, self.reactor
        wakefulness = Wakefulness(
            reactor,
            1.5 * settings.session.heartbeatInterval,
            lambda: succeed(None) if self.cluster is None else self.cluster.verify(),
        )
        gate = Gate(wakefulness, self._isCutOff)
        self.transport = self._transport(gate)
        gate.transport = self.transport
        self.recorder = self._recorder(self.transport)
        cluster = self.cluster = Cluster(
            settings,
            reactor,
            self.state,
            self.recordings,
            self.recorder,
            self.layer,
            self.transport,
            self.running,
            self.workers,
            self.renderer,
            self.recovery,
            self._continuation(),
            self.places,
            self.now,
            self._links(settings.cluster),
            wakefulness,
            gate,
        )
        gate.receiver = cluster.relay
        cluster.relay.receiver = self.layer
        self.layer.transport = self.around.outgoing.transport = cluster.relay
        self.recorder.transport = cluster.relay
        self.recorder.isUncertain = cluster.isUncertain
        self.recorder.alone = lambda: not cluster.membership.living
        self.around.passOn = cluster.passOn
        doorway = self.entrance.doorway
        doorway.asking.ask = NonceCounts(
            cluster.links, lambda: cluster.membership.living, doorway.authenticator.use
        ).ask
        watchCluster(self.metrics, cluster)

    def _continuation(self) -> Continuation:
        settings = self.settings
        return Continuation(
            settings.node.id,
            self.recordings,
            self.recorder,
            self.transport,
            self.state.store,
            self.running,
            self.workers,
            self.reactor,
            self.now,
            self.places,
            settings.media.bind,
            settings.media.address,
            timeout=settings.session.timeout,
            addressWait=settings.cluster.addressWait,
            ways=settings.cluster.mediaTakeover,
        )

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

    def _links(self, settings: ClusterSettings) -> ClusterLinks:
        credentials = Credentials(newKey())
        credentials.load(settings)
        return ClusterLinks(
            self.reactor,
            self.settings.node.id,
            self.state.instance,
            listenAt(settings.listen, self.settings.store.url),
            credentials=credentials,
            leaseOf=lambda node: (
                None if self.cluster is None else self.cluster.greetings.leaseOf(node)
            ),
            advertise=settings.advertise,
            onBroken=lambda node: (
                None if self.cluster is None else self.cluster.membership.broken(node)
            ),
            onSilent=lambda node: (
                None if self.cluster is None else self.cluster.membership.broken(node)
            ),
        )

    def _transport(self, receiver: IMessageReceiver) -> TransportService:
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

    def _recorder(self, transport: ISipTransport) -> Recorder:
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
            isCutOff=self._isCutOff,
        )
        recorder = Recorder(self.around, self.layer, transport)
        self.around.srtp = lambda flow: recorder.peerList.srtp(flow) or recorder.srtp
        takeUp(settings, recorder, recordings)
        return recorder
