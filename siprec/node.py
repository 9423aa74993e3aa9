"""
A node: the tree of its services, started and stopped in order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import define, field
from twisted.application.service import IService, Service
from twisted.internet.defer import (
    Deferred,
    DeferredList,
    TimeoutError,
    maybeDeferred,
    succeed,
)
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from siprec import __version__
from siprec.cluster.errors import CannotListen
from siprec.config import Settings
from siprec.control import NodeControl
from siprec.entrance import Entrance
from siprec.manhole import ManholeService
from siprec.media.capture import CaptureThread
from siprec.metrics import Metrics
from siprec.recorder import Recorder
from siprec.render.process import Renderer
from siprec.session.recordings import Recordings
from siprec.session.recovery import Recovery
from siprec.session.running import Orphan, RunningRecordings
from siprec.session.service import SessionService
from siprec.session.workers import Workers
from siprec.shell.interfaces import IShellNode
from siprec.sip.layer import SipLayer
from siprec.sip.transport import TransportService
from siprec.trace.calls import CallFinder
from siprec.trace.place import socketPath
from siprec.trace.ring import TraceRing
from siprec.trace.serving import TraceService
from siprec.uas.around import checkMedia
from siprec.uas.call import Call
from siprec.web.site import makeSite

if TYPE_CHECKING:
    from siprec.cluster.cluster import Cluster

log = Logger()

#: Of C{node.drain_timeout}, what is kept back for closing the rest, in seconds,
#: and of that what is for the last writes.
_LAST_STEPS, _GRACE = 3.0, 0.5


def _nothing(error: BaseException) -> None:
    """
    Nobody wants to know why the node could not start.
    """


@implementer(IShellNode)
@define(eq=False, repr=False, slots=False)
class Node(NodeControl, Service):
    """
    Everything that one process of the recorder is made of.  L{makeNode} puts
    it together.

    @ivar sessions: the recordings; they belong to C{state}.
    @ivar state: the session service, which has the node's part of the store.
    @ivar onRefused: called with the reason if the node turns out not to be
        able to start after C{startService} has returned, because its store had
        to be asked first.
    """

    settings: Settings
    metrics: Metrics
    layer: SipLayer
    transport: TransportService
    recorder: Recorder
    entrance: Entrance
    sessions: Recordings
    capture: CaptureThread
    renderer: Renderer
    workers: Workers
    archive: Workers
    state: SessionService
    running_: RunningRecordings
    recovery: Recovery
    _now: Callable[[], float]
    _reactor: Any
    cluster: Cluster | None = None
    onRefused: Callable[[BaseException], None] = _nothing
    ring: TraceRing = field(factory=TraceRing)
    upkeep: IService = field(factory=Service)
    manhole: ManholeService = field(init=False)
    trace: TraceService = field(init=False)
    _http: IListeningPort | None = field(default=None, init=False)
    _recovering: Deferred[None] = field(factory=lambda: succeed(None), init=False)
    _started: list[IService] = field(factory=list, init=False)
    _beginning: Deferred[None] = field(factory=lambda: succeed(None), init=False)

    @manhole.default
    def _makeManhole(self) -> ManholeService:
        keys = self.settings.manhole
        return ManholeService(self._reactor, keys.listen, keys.authorizedKeys, keys.hostKey, self)

    @trace.default
    def _makeTrace(self) -> TraceService:
        finder = CallFinder(
            lambda: self.sessions.recordings.values(),
            self.settings.recordings.directory,
            self.archive,
        )
        return TraceService(
            *(self._reactor, self.ring, socketPath(self.settings), self.settings.node.id),
            finder.find,
            required=bool(self.settings.trace.socket),
        )

    # Service.

    def startService(self) -> None:
        """
        Start everything; nothing is taken from the network before all of it is
        there.  If a part cannot start, those before it are stopped again.
        Where the store has to be asked over a network, this returns before
        the answer is there; see C{onRefused}.

        @raise NodeInUse: another live process is this node.
        @raise LeaseHeld: the same, as the store says.
        @raise ListenFailed: a SIP address cannot be had.
        @raise OSError: the recordings directory cannot be written, the address
            for HTTP, the SSH shell or the trace cannot be had, the shell's keys,
            or a file of digest users or a secret.
        """
        try:
            checkMedia(self.settings.media.address, self.settings.media.bind)
            self.entrance.load(self.settings)
            orphans = self._becomeNode()
            for part in (self.workers, self.archive, self.capture, self.renderer):
                self._start(part)
            if self.cluster is not None:
                self._open(self.cluster)
        except BaseException:
            self._takeBack()
            raise
        super().startService()
        refused: list[BaseException] = []
        self._beginning = Deferred.fromCoroutine(self._begin(orphans))
        self._beginning.addErrback(lambda failure: _keep(refused, failure))
        if refused:
            self.running = False
            self._takeBack()
            raise refused[0]
        self._beginning.addCallback(lambda _: self._refused(refused))

    def _open(self, cluster: Cluster) -> None:
        try:
            cluster.open()
        except CannotListen as error:
            listen = self.settings.cluster.listen
            raise OSError(
                f"cluster.listen = {listen!r}: expected an address to listen on ({error})"
            ) from error

    def _start(self, part: IService) -> None:
        part.startService()
        self._started.append(part)

    def _refused(self, reasons: list[BaseException]) -> None:
        if reasons and self.running:
            self.running = False
            self._takeBack()
            self.onRefused(reasons[0])

    async def _begin(self, orphans: list[Orphan]) -> None:
        await self.state.begin()
        self._started.append(self.state)
        if self.cluster is not None:
            await self.cluster.arrive()
        resumed = await self._resume()
        # Only now: a request for a call that is not taken up yet would be told
        # that there is no such call.
        self._start(self.transport)
        if self.cluster is not None:
            self.cluster.startService()
            # Others should know by what addresses peers reach this node.
            self.state.heartbeat.beatNow()
        self._start(self.upkeep)
        self._start(self.manhole)
        self._start(self.trace)
        self._listenHTTP()
        for call in resumed:
            call.moveMedia()
        self._recovering = Deferred.fromCoroutine(self._recover(orphans)).addErrback(
            lambda failure: log.failure("recovery failed", failure)
        )
        log.info(
            "node {node} {version}: SIP on {addresses}, recordings in {directory}",
            node=self.settings.node.id,
            version=__version__,
            addresses=", ".join(f"{t} {h}:{p}" for t, h, p in self.sipAddresses),
            directory=self.settings.recordings.directory,
        )

    async def _resume(self) -> list[Call]:
        """
        Go on with the calls that an earlier life of this node had.
        """
        if self.cluster is None:
            return []
        goOn = self.cluster.continuation.goOn
        # All at once: each binds its ports before it waits for anything.
        going = [
            Deferred.fromCoroutine(goOn(each, each.recording.segments[-1].epoch))
            for each in await self.state.mine()
        ]
        calls: list[Call] = []
        outcomes: list[tuple[bool, Any]] = await DeferredList(going, consumeErrors=True)
        for success, result in outcomes:
            if not success:
                log.failure("a call of before is not taken up", result)
            elif result is not None:
                calls.append(result)
        return calls

    async def _recover(self, orphans: list[Orphan]) -> None:
        if self.cluster is not None:
            orphans = await self.cluster.ours(orphans)
        # Those that are being finished from their records are known already.
        known = self.sessions.recordings.keys() | self.sessions.ending
        left = [each for each in orphans if each.id not in known]
        await self.recovery.run(left)

    def _becomeNode(self) -> list[Orphan]:
        try:
            self.running_.acquire()
            # With others around, what lies on a shared disk may be going on there.
            return self.running_.orphans() if self.cluster is None else self.running_.own()
        except OSError as error:
            root = self.settings.recordings.directory
            raise OSError(f"recordings.directory {root}: {error}") from error

    def _takeBack(self) -> None:
        while self._started:
            # In a program that ends there is nobody to wait for it.
            stop: Callable[[], Any] = self._started.pop().stopService
            stopping = maybeDeferred(stop)
            stopping.addErrback(lambda failure: log.failure("not stopped", failure))
        if self.cluster is not None:
            self.cluster.close().addErrback(lambda failure: log.failure("not stopped", failure))
        self.running_.release()

    def stopService(self) -> Deferred[None]:
        """
        Drain, then stop: no new call is taken, running ones go to other nodes
        or, where there is none, are ended with a BYE, files are completed, and
        only then are the sockets closed.

        @return: fires when nothing is left, at the latest after
            C{node.drain_timeout}.
        """
        if not self.running:
            return succeed(None)
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._beginning.cancel()
        self.sessions.draining = True
        timeout = self.settings.node.drainTimeout
        end = self._reactor.seconds() + timeout
        await self.giveAway(end - min(_LAST_STEPS, timeout / 2))
        if not await self._until(end - min(_LAST_STEPS, timeout / 2), self.sessions.drained()):
            log.error(
                "{sessions} recordings are not finished: the next start does it",
                sessions=len(self.sessions.recordings),
            )
        await self._until(end - _GRACE, Deferred.fromCoroutine(self._close()))
        self.layer.stop()
        # What was being rendered has just been given up, and says so in files.
        await self._until(end, self.sessions.drained())
        if self.cluster is not None:
            await self._until(end, Deferred.fromCoroutine(self.cluster.leave()))
        await self._until(end, self.state.stopService())
        if self.cluster is not None:
            await self._until(end, self.cluster.close())
        self.archive.stopService()
        self.workers.stopService()
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
            "upkeep": maybeDeferred(self.upkeep.stopService),
            "SIP": self.transport.stopService(),
            "capture": self.capture.stopService(),
            "SSH shell": self.manhole.stopService(),
            "trace": self.trace.stopService(),
        }
        if self._http is not None:
            closing["HTTP"] = maybeDeferred(self._http.stopListening)
        results = await DeferredList(closing.values(), consumeErrors=True)
        for part, (success, result) in zip(closing, results, strict=True):
            if not success:
                log.error("{part} has not stopped: {why}", part=part, why=repr(result.value))

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


def _keep(reasons: list[BaseException], failure: Failure) -> None:
    assert failure.value is not None, "a failure of a coroutine has an exception"
    reasons.append(failure.value)
