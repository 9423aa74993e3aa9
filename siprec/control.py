"""
A node as those see it who look at it or tell it what to do: the HTTP interface
and the shell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import fields
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from zope.interface import implementer

from siprec.config import ConfigError, Settings
from siprec.entrance import Entrance
from siprec.policies import takeUp, withPolicies
from siprec.recorder import Recorder
from siprec.session.archive import locate
from siprec.session.model import NodeLease
from siprec.session.pausing import Pausable, pause, resume
from siprec.session.recordings import Recordings
from siprec.session.service import SessionService
from siprec.session.workers import Workers
from siprec.sip.transport import TransportService
from siprec.store.interfaces import ISessionStore
from siprec.web.interfaces import INodeControl, NotRunning

if TYPE_CHECKING:
    from siprec.cluster.cluster import Cluster

log = Logger()

# Seconds that are kept back of a drain for the calls that no node takes.
_ENDING = 5.0


@implementer(INodeControl)
class NodeControl:
    """
    The half of a node that answers questions; L{siprec.node.Node} is the other.
    """

    settings: Settings
    transport: TransportService
    recorder: Recorder
    entrance: Entrance
    sessions: Recordings
    workers: Workers
    state: SessionService
    cluster: Cluster | None
    _reactor: Any
    _http: IListeningPort | None

    @property
    def store(self) -> ISessionStore:
        """
        Where the state of its calls is.
        """
        return self.state.store

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

    def notReady(self) -> list[str]:
        """
        See L{INodeControl.notReady}.
        """
        return self.recorder.notReady()

    def notes(self) -> list[str]:
        """
        See L{INodeControl.notes}.
        """
        return self.state.notes()

    def nodes(self) -> Deferred[list[dict[str, Any]]]:
        """
        See L{INodeControl.nodes}.
        """
        leases = self.state.nodes()
        return leases.addCallback(self._describeAll)

    def _describeAll(self, leases: list[NodeLease]) -> list[dict[str, Any]]:
        found = [self._describe(each) for each in leases]
        if self.cluster is None:
            return found
        # Those that have died are news, too.
        listed = {each["id"] for each in found}
        members = self.cluster.membership.members
        gone = [self._describe(members[name].lease) for name in members if name not in listed]
        for each in (*found, *gone):
            member = members.get(each["id"])
            each["standing"] = "alive" if member is None else member.standing.value
        return found + gone

    def _describe(self, lease: NodeLease) -> dict[str, Any]:
        described: dict[str, Any] = {
            "id": lease.nodeID,
            "version": lease.version,
            "host": lease.host,
            "process": lease.pid,
            "sessions": lease.sessions,
            "sip": list(lease.addresses),
        }
        if lease.nodeID == self.settings.node.id:
            # What only the node itself knows, and knows now.
            described["sessions"] = len(self.sessions.recordings)
            described["ready"] = not self.notReady()
            described["draining"] = self.sessions.draining
        return described

    def reload(self, settings: Settings) -> None:
        """
        Take up the settings that can change while calls run: C{sip.profile},
        C{sip.srtp}, C{sip.max_sessions}, C{sip.not_ready}, C{recordings.min_free},
        C{metadata.exclude}, C{metadata.mask}, the peers and what else says who is
        let in; and read the files anew that say so, too, or that make connections
        to other nodes secure.  What else has changed is named in the log, and
        waits for a restart.
        """
        takeUp(settings, self.recorder, self.sessions)
        self.entrance.configure(settings, self.recorder)
        live = withPolicies(self.settings, settings)
        self._loadFiles(settings)
        self.settings = live
        tables = [each.name for each in fields(Settings)]
        waiting = [name for name in tables if getattr(live, name) != getattr(settings, name)]
        log.info(
            "settings read again; waiting for a restart: {waiting}",
            waiting=", ".join(waiting) or "nothing",
        )

    def _loadFiles(self, settings: Settings) -> None:
        loads: list[Callable[[], None]] = [lambda: self.entrance.load(settings)]
        if self.cluster is not None:
            credentials = self.cluster.links.credentials
            loads.append(lambda: credentials.load(self.settings.cluster))
        for load in loads:
            try:
                load()
            except (OSError, ConfigError) as error:
                log.error("the files of before are still used: {error}", error=str(error))

    def drain(self) -> Deferred[None]:
        """
        See L{INodeControl.drain}.
        """
        if not self.sessions.draining:
            log.info("{node}: draining", node=self.settings.node.id)
            self.sessions.draining = True
            until = self._reactor.seconds() + self.settings.node.drainTimeout
            Deferred.fromCoroutine(self.giveAway(until)).addErrback(
                lambda failure: log.failure("not drained", failure)
            )
        return succeed(None)

    async def giveAway(self, until: float) -> None:
        """
        Have other nodes take all calls, and end those that none takes.

        @param until: when to stop trying, by the reactor's clock.
        """
        if self.cluster is not None:
            # What cannot be given away still has to be ended and finished.
            left = max(until - self._reactor.seconds(), 0.0)
            await self.cluster.giveAway(until - min(left / 4, _ENDING))
        self.recorder.stopCalls(503, "drained")

    def stopRecording(self, recording: str, who: str) -> Deferred[dict[str, Any]]:
        """
        See L{INodeControl.stopRecording}.
        """
        call = self.recorder.callOf(recording)
        if call is not None and call.live is not None:
            call.live.event("stopped", who=who)
            call.stop(200, "stopped")
            return succeed(call.live.manifest())
        return self._notRunning(recording)

    def _notRunning(self, recording: str) -> Deferred[dict[str, Any]]:
        found = self.workers.run(locate, self.settings.recordings.directory, recording)
        return found.addCallback(lambda _: fail(NotRunning(recording)))

    def pauseRecording(
        self, recording: str, who: str, reason: str | None
    ) -> Deferred[dict[str, Any]]:
        """
        See L{INodeControl.pauseRecording}.
        """
        return Deferred.fromCoroutine(self._change(recording, lambda it: pause(it, who, reason)))

    def resumeRecording(
        self, recording: str, who: str, reason: str | None
    ) -> Deferred[dict[str, Any]]:
        """
        See L{INodeControl.resumeRecording}.
        """
        return Deferred.fromCoroutine(self._change(recording, lambda it: resume(it, who, reason)))

    async def _change(
        self, recording: str, step: Callable[[Pausable], Deferred[None]]
    ) -> dict[str, Any]:
        call = self.recorder.callOf(recording)
        if call is None or call.live is None:
            return await self._notRunning(recording)
        live = call.live
        await step(live)
        if not call.over:
            await call.save()
        if call.over:
            # It has ended meanwhile, or the store has told that it is another node's.
            raise NotRunning(recording)
        log.info(
            "{recording}: {state}",
            recording=recording,
            state="goes on" if live.recording.pause is None else "paused",
            node=self.settings.node.id,
        )
        return live.manifest()
