"""
All connections of one node to the others of its cluster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from siprec.cluster.contact import LEASE_KEY, contactData, joinAddress
from siprec.cluster.credentials import Credentials
from siprec.cluster.dialing import Dialer, LinkFactory
from siprec.cluster.errors import CannotListen, PeerLeft, UnknownKind, Unreachable
from siprec.cluster.handshake import HandshakeError, NoCommonSchema, NotAuthentic
from siprec.cluster.interfaces import IClusterLinks, Liveness
from siprec.cluster.keeping import Keeper
from siprec.cluster.link import Link, LinkSurroundings, Peer
from siprec.cluster.pending import tookTooLong
from siprec.cluster.probing import Prober
from siprec.cluster.table import LinkTable
from siprec.endpoints import escapeInterface, splitEndpoint
from siprec.ids import NodeID
from siprec.rounds import Rounds
from siprec.session.model import NodeLease

__all__ = ["LEASE_KEY", "ClusterLinks", "Liveness", "Peer", "Unreachable"]

log = Logger()

#: Seconds that a request may take, connecting included, unless told otherwise.
REQUEST_TIME = 5.0

#: Seconds without use after which a connection that we opened is closed, if it is
#: not kept.  One that a peer opened is dead if it did not do so after twice the time.
IDLE_TIME = 30.0

#: Connections that are not authenticated yet, at most: the oldest is closed for one more.
MAX_STRANGERS = 64

#: Seconds between two lines in the log about refused connections.
LOG_INTERVAL = 10.0


def _nothing(node: NodeID) -> None:
    """
    Nobody wants to know.
    """


@implementer(IClusterLinks)
class ClusterLinks(Service):
    """
    Listens for other nodes while it runs, and connects to them.

    @ivar counters: of links C{opened}, C{refused} (not authenticated) and C{broken},
        and of C{silences} of kept nodes.
    @ivar credentials: may be read anew while it runs.
    """

    def __init__(
        self,
        reactor: Any,
        nodeID: NodeID,
        instance: str,
        listen: str,
        *,
        credentials: Credentials,
        leaseOf: Callable[[NodeID], NodeLease | None],
        advertise: tuple[str, int | None] | None = None,
        onBroken: Callable[[NodeID], None] = _nothing,
        onSilent: Callable[[NodeID], None] = _nothing,
        pingInterval: float = 0.5,
    ) -> None:
        """
        @param reactor: provides C{IReactorTime}, C{IReactorTCP} and
            C{IReactorPluggableNameResolver}.
        @param instance: unique for this life of the process, at most 128 characters.
        @param listen: C{tcp:PORT:interface=IP}.
        @param leaseOf: the latest lease of a node that is known.
        @param advertise: host and port under which others reach us, if not what we
            listen on.
        @param onBroken: called when an authenticated connection was lost although
            no side closed it on purpose, with the node at its other end.
        @param onSilent: called when a kept connection has brought nothing for three
            ping intervals, once for each silence.
        @param pingInterval: seconds.
        @raise ValueError: C{listen} is of another form.
        """
        kind, positional, named = splitEndpoint(escapeInterface(listen))
        if kind != "tcp" or len(positional) != 1 or not named.get("interface"):
            raise ValueError(f"'tcp:PORT:interface=IP', not {listen!r}")
        self.counters: Counter[str] = Counter()
        self._reactor = reactor
        self._own = Peer(nodeID, instance)
        self._listen = escapeInterface(listen)
        self._advertise = advertise
        self.credentials = credentials
        self._leaseOf = leaseOf
        self._onBroken = onBroken
        self._onSilent = onSilent
        self._answers: dict[str, Callable[[Peer, Any], Any]] = {}
        self._around = LinkSurroundings(
            reactor, self._answer, self._connected, self._opened, self._refused, self._closed
        )
        self._dialer = Dialer(reactor, self._own, credentials, self._around)
        self._links = LinkTable(nodeID)
        self._keeper = Keeper(leaseOf, self._links, self._dialer.connect, self._silent)
        self._prober = Prober(reactor, self._dialer, self._links)
        self._all: dict[Link, None] = {}
        self._strangers: dict[Link, None] = {}
        self._emptied: list[Deferred[None]] = []
        self._port: IListeningPort | None = None
        failed = "the connections were not looked after"
        self._rounds = Rounds(reactor, pingInterval, self._turn, failed)
        self._nextLine = 0.0

    # The service

    def startService(self) -> None:
        """
        @raise CannotListen: the port is in use, or not ours.
        """
        links = LinkFactory(self._own, self.credentials, self._around)
        factory = self.credentials.listening(links, self._reactor)
        results: list[IListeningPort | Failure] = []
        serverFromString(self._reactor, self._listen).listen(factory).addBoth(results.append)
        # The endpoint of tcp: opens at once.
        (result,) = results
        if isinstance(result, Failure):
            raise CannotListen(f"{self._listen}: {result.getErrorMessage()}") from result.value
        self._port = result
        super().startService()
        self._dialer.start()
        log.info("{node}: other nodes reach it at {address}", node=self._own, address=self.address)
        self._rounds.start()

    def stopService(self) -> Deferred[None]:
        """
        Close everything.

        @return: fires when no socket is open any more.
        """
        super().stopService()
        ended = self._rounds.stop()
        self._prober.stop()
        self._dialer.stop()
        for link in list(self._all):
            link.close()
        port, self._port = self._port, None
        closing = ended if port is None else maybeDeferred(port.stopListening)
        closing.addErrback(lambda reason: log.failure("the listener was not closed", reason))
        return closing.addCallback(lambda _: self._whenEmpty())

    @property
    def address(self) -> str:
        """
        Where others reach us, C{"HOST:PORT"}.

        @raise RuntimeError: it does not run.
        """
        if self._port is None:
            raise RuntimeError("the cluster listener is closed")
        own: Any = self._port.getHost()
        host, port = self._advertise or (own.host, None)
        return joinAddress(host, own.port if port is None else port)

    @property
    def lastHeard(self) -> float | None:
        """
        When another node was heard last, by the clock; C{None} if there is no
        connection to any.
        """
        return max((each.lastHeard for each in self._links), default=None)

    def leaseData(self) -> dict[str, Any]:
        """
        @return: what goes into C{NodeLease.data["cluster"]}; see L{address}.
        """
        return contactData(self.address, self.credentials.key)

    # What it is there for

    def handle(self, kind: str, answer: Callable[[Peer, Any], Any]) -> None:
        """
        Have requests and notices of a kind answered.

        @param answer: is given the peer and the body.  What it returns, or what its
            Deferred or coroutine brings, is the answer; what it raises is told to the
            peer by the name of its class and its text, and logged unless it is a
            L{siprec.cluster.errors.Refusal}.
        """
        self._answers[kind] = answer

    def request(
        self, node: NodeID, kind: str, body: Any, timeout: float = REQUEST_TIME
    ) -> Deferred[Any]:
        """
        Ask another node.

        @param timeout: longest wait in seconds, connecting included.
        @return: fires with the answer.  Fails with L{Unreachable} (nothing was sent)
            and as L{Link.request}.
        """
        return Deferred.fromCoroutine(self._request(node, kind, body, timeout))

    def notify(self, node: NodeID, kind: str, body: Any) -> Deferred[None]:
        """
        Tell another node something.  Nobody knows whether it arrives.

        @return: fires when it is on its way.  Fails with L{Unreachable} and as
            L{Link.notify}.
        """
        return self._linkTo(node, REQUEST_TIME).addCallback(lambda link: link.notify(kind, body))

    def keep(self, nodes: Iterable[NodeID]) -> None:
        """
        Hold a connection open to each of these nodes from now on, and to no others.
        """
        self._keeper.keep(node for node in nodes if node != self._own.nodeID)
        if self.running:
            self._keeper.turn(beat=False)

    def probe(self, lease: NodeLease, timeout: float) -> Deferred[Liveness]:
        """
        Find out whether this very instance lives; see L{Liveness}.

        @param timeout: longest time it takes, in seconds.
        """
        if (lease.nodeID, lease.instance) == (self._own.nodeID, self._own.instance):
            return succeed(Liveness.ALIVE)
        return self._prober.probe(lease, timeout)

    # Links

    async def _request(self, node: NodeID, kind: str, body: Any, timeout: float) -> Any:
        end = self._reactor.seconds() + timeout
        while True:
            link = await self._linkTo(node, end - self._reactor.seconds())
            try:
                return await link.request(kind, body, max(0.0, end - self._reactor.seconds()))
            except PeerLeft:
                if self._reactor.seconds() >= end:
                    raise

    def _linkTo(self, node: NodeID, timeout: float) -> Deferred[Link]:
        """
        @return: fires with a link that is open; fails with L{Unreachable}.
        """
        lease = self._leaseOf(node)
        link = self._links.find(node, None if lease is None else lease.instance)
        if link is not None:
            return succeed(link)
        if lease is None or not self.running or node == self._own.nodeID:
            why = "no lease of it is known" if lease is None else "this node itself"
            return fail(Unreachable(node, why if self.running else "the links are closed"))

        def failed(failure: Failure) -> Failure:
            why = failure.getErrorMessage() or type(failure.value).__name__
            return Failure(Unreachable(node, why))

        connecting = self._dialer.connect(lease)
        connecting.addTimeout(max(0.0, timeout), self._reactor, tookTooLong)
        return connecting.addErrback(failed)

    def _answer(self, peer: Peer, kind: str, body: Any) -> Any:
        answer = self._answers.get(kind)
        if answer is None:
            raise UnknownKind(kind)
        return answer(peer, body)

    def _connected(self, link: Link) -> None:
        self._all[link] = None
        if not link.ours:
            self._strangers[link] = None
            if len(self._strangers) > MAX_STRANGERS:
                oldest = next(iter(self._strangers))
                del self._strangers[oldest]
                oldest.abort()

    def _opened(self, link: Link) -> None:
        self._strangers.pop(link, None)
        self._links.add(link)
        self.counters["opened"] += 1

    def _refused(self, link: Link, error: HandshakeError) -> None:
        self._strangers.pop(link, None)
        self.counters["refused"] += 1
        # Whoever reaches the port must not be able to fill the log.
        now = self._reactor.seconds()
        if isinstance(error, NotAuthentic | NoCommonSchema) and now >= self._nextLine:
            self._nextLine = now + LOG_INTERVAL
            peer = link.transport.getPeer()
            log.warn("{peer} refused: {reason}", peer=peer, reason=str(error))

    def _closed(self, link: Link) -> None:
        self._all.pop(link, None)
        self._strangers.pop(link, None)
        self._links.remove(link)
        if link.broken and link.peer is not None and self.running:
            self.counters["broken"] += 1
            self._tell(self._onBroken, link.peer.nodeID)
        if not self._all:
            emptied, self._emptied = self._emptied, []
            for waiter in emptied:
                waiter.callback(None)

    def _silent(self, node: NodeID) -> None:
        self.counters["silences"] += 1
        self._tell(self._onSilent, node)

    def _tell(self, whom: Callable[[NodeID], None], node: NodeID) -> None:
        try:
            whom(node)
        except Exception:
            log.failure("what happened to {node} could not be told", node=node)

    def _whenEmpty(self) -> Deferred[None]:
        if not self._all:
            return succeed(None)
        emptied: Deferred[None] = Deferred()
        self._emptied.append(emptied)
        return emptied

    def _turn(self) -> None:
        self._keeper.turn()
        self._sweep()

    def _sweep(self) -> None:
        now = self._reactor.seconds()
        for link in self._links:
            unused = now - link.lastUse
            if unused < IDLE_TIME or not link.isIdle or self._keeper.holds(link):
                continue
            if link.ours:
                link.close(goodbye=True)
            elif unused >= 2 * IDLE_TIME:
                link.abort()
