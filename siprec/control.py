"""
A node as those see it who look at it or tell it what to do: the HTTP interface
and the shell.
"""

from __future__ import annotations

from typing import Any, cast

from attrs import evolve, fields
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from zope.interface import implementer

from siprec.config import Settings
from siprec.entrance import Entrance
from siprec.recorder import Recorder
from siprec.session.archive import locate
from siprec.session.model import NodeLease
from siprec.session.recordings import Recordings
from siprec.session.service import SessionService
from siprec.session.workers import Workers
from siprec.sip.transport import TransportService
from siprec.store.interfaces import ISessionStore
from siprec.uas.admission import Profile
from siprec.web.interfaces import INodeControl, NotRunning

log = Logger()


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
        return leases.addCallback(lambda found: [self._describe(each) for each in found])

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
        C{sip.max_sessions}, C{recordings.min_free}, C{metadata.exclude} and
        the peers; and read the files anew that say who is let in.
        What else has changed is named in the log, and waits for a restart.
        """
        before = self.settings
        self.recorder.profile = cast(Profile, settings.sip.profile)
        self.recorder.maxSessions = settings.sip.maxSessions
        self.sessions.minFree = settings.recordings.minFree
        self.sessions.exclude = settings.metadata.exclude
        live = evolve(
            before,
            # Of the SIP settings all are taken up but where to listen.
            sip=evolve(settings.sip, listen=before.sip.listen, advertise=before.sip.advertise),
            recordings=evolve(before.recordings, minFree=settings.recordings.minFree),
            metadata=settings.metadata,
            peers=settings.peers,
        )
        self.entrance.configure(settings, self.recorder)
        try:
            self.entrance.load(settings)
        except OSError as error:
            log.error("the files of before are still used: {error}", error=str(error))
        self.settings = live
        tables = [each.name for each in fields(Settings)]
        waiting = [name for name in tables if getattr(live, name) != getattr(settings, name)]
        log.info(
            "settings read again; waiting for a restart: {waiting}",
            waiting=", ".join(waiting) or "nothing",
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
        call = self.recorder.callOf(recording)
        if call is not None and call.live is not None:
            call.live.event("stopped", who=who)
            call.stop(200, "stopped")
            return succeed(call.live.manifest())
        found = self.workers.run(locate, self.settings.recordings.directory, recording)
        return found.addCallback(lambda _: fail(NotRunning(recording)))
