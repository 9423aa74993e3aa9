"""
Fakes of what the SIP stack and the media path stand on.
"""

import itertools
from collections.abc import Iterator
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from siprec.media.interfaces import ICapture, ICapturedStream, IPortPair, IPortPool
from siprec.media.origin import ANYBODY, Expected
from siprec.media.rtcp import Destination
from siprec.media.srtp import Protection
from siprec.sip.flow import Flow
from siprec.sip.headers import Via
from siprec.sip.interfaces import FlowGone, ISipTransport
from siprec.sip.message import Request, Response, parseMessage

_LOCAL = ("192.0.2.1", 5060)


@implementer(ISipTransport)
@define(eq=False, repr=False)
class FakeSipTransport:
    """
    Keeps what is sent.

    @ivar gone: whether every attempt to send or connect fails.
    @ivar sent: flow and bytes of each message, in order.
    """

    local: tuple[str, int] = _LOCAL
    gone: bool = False
    sent: list[tuple[Flow, bytes]] = field(factory=list)
    _connections: Iterator[int] = field(factory=lambda: itertools.count(1))
    _open: dict[tuple[str, str, int], Flow] = field(factory=dict)

    def take(self) -> list[Request | Response]:
        """
        @return: the messages that were sent since this was last asked.
        """
        messages = [parseMessage(data) for _, data in self.sent]
        self.sent.clear()
        return messages

    def send(self, flow: Flow, data: bytes) -> None:
        """
        See L{ISipTransport.send}.
        """
        if self.gone:
            raise FlowGone("the test says so")
        self.sent.append((flow, data))

    def connect(self, transport: str, host: str, port: int, name: str = "") -> Deferred[Flow]:
        """
        See L{ISipTransport.connect}.
        """
        if self.gone:
            return fail(FlowGone("the test says so"))
        key = (transport, host, port)
        if key not in self._open:
            connection = 0 if transport == "UDP" else next(self._connections)
            self._open[key] = Flow(transport, self.local, (host, port), connection)
        return succeed(self._open[key])

    def reply(self, via: Via, flow: Flow) -> Deferred[Flow]:
        """
        See L{ISipTransport.reply}.
        """
        return fail(FlowGone("the test says so")) if self.gone else succeed(flow)

    def advertised(self, flow: Flow) -> tuple[str, int]:
        """
        See L{ISipTransport.advertised}.
        """
        return flow.local


@implementer(IPortPair)
@define(eq=False, repr=False)
class FakePortPair:
    """
    A pair of ports without sockets.

    @ivar state: what L{FakePortPool} was told of it last: C{"shared"} or
        C{"diverted"}; empty: nothing, or to take it back.
    """

    host: str
    rtpPort: int
    rtp: Any = None
    rtcp: Any = None
    state: str = ""

    @property
    def rtcpPort(self) -> int:
        return self.rtpPort + 1


@implementer(IPortPool)
@define(eq=False, repr=False)
class FakePortPool:
    """
    Hands out the even ports from C{first} on.

    @ivar free: how many can be handed out.
    @ivar failure: what is raised instead, or when there is none left.
    @ivar refusal: what is raised by sharing and diverting, or C{None}.
    @ivar patience: how many pairs are shared or diverted before it is.
    @ivar stuck: a pair of which that cannot be undone, or C{None}.
    @ivar taken: the pairs that were handed out and not released.
    @ivar claims: the ports that were claimed, and whether as shared ones.
    """

    first: int = 10000
    free: int = 1000
    failure: Exception = field(factory=lambda: OSError("no free ports"))
    refusal: OSError | None = None
    patience: int = 0
    stuck: FakePortPair | None = None
    taken: list[FakePortPair] = field(factory=list)
    claims: list[tuple[int, bool]] = field(factory=list)
    _next: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._next = self.first

    def allocate(self, host: str) -> FakePortPair:
        """
        See L{IPortPool.allocate}.
        """
        if self.free == 0:
            raise self.failure
        while any(pair.rtpPort == self._next for pair in self.taken):
            self._next += 2
        self._next += 2
        return self._take(FakePortPair(host, self._next - 2))

    def claim(self, host: str, rtpPort: int, shared: bool = False) -> FakePortPair:
        """
        See L{IPortPool.claim}.
        """
        if rtpPort % 2 or not 0 < rtpPort < 65536:
            raise ValueError(f"{rtpPort} is not an even port")
        if self.free == 0 or any(pair.rtpPort == rtpPort for pair in self.taken):
            raise self.failure
        self.claims.append((rtpPort, shared))
        return self._take(FakePortPair(host, rtpPort))

    def share(self, pair: IPortPair) -> None:
        """
        See L{IPortPool.share}.
        """
        self._tell(pair, "shared")

    def divert(self, pair: IPortPair) -> None:
        """
        See L{IPortPool.divert}.
        """
        self._tell(pair, "diverted")

    def unshare(self, pair: IPortPair) -> None:
        """
        See L{IPortPool.unshare}.
        """
        self._tell(pair, "")

    def _tell(self, pair: IPortPair, state: str) -> None:
        if state and self.refusal is not None:
            if not self.patience:
                raise self.refusal
            self.patience -= 1
        if not state and pair is self.stuck:
            raise OSError("the test says so")
        assert isinstance(pair, FakePortPair)
        pair.state = state

    def release(self, pair: IPortPair, used: bool = True) -> None:
        """
        See L{IPortPool.release}.
        """
        others = [other for other in self.taken if id(other) != id(pair)]
        self.free += len(self.taken) - len(others)
        self.taken = others

    def _take(self, pair: FakePortPair) -> FakePortPair:
        self.free -= 1
        self.taken.append(pair)
        return pair


@implementer(ICapturedStream)
@define(eq=False, repr=False)
class FakeCapturedStream:
    """
    A stream to which a test says what came.

    @ivar reportsTo: to whom it was last asked to report.
    @ivar left: whether it was asked to say goodbye.
    @ivar expected: who was last said to send it.
    """

    path: str
    pair: IPortPair
    packets: int = 0
    octets: int = 0
    controlPackets: int = 0
    firstArrival: float | None = None
    lastArrival: float | None = None
    discardedArrival: float | None = None
    discarded: int = 0
    truncated: int = 0
    unwritten: int = 0
    kernelDrops: int = 0
    unauthenticated: int = 0
    strangers: int = 0
    replayed: int = 0
    protection: Protection | None = None
    error: str | None = None
    muted: bool = False
    reportsTo: Destination | None = None
    left: bool = False
    expected: Expected = ANYBODY

    @property
    def lastHeard(self) -> float | None:
        """
        See L{ICapturedStream}.
        """
        return max(self.lastArrival or 0.0, self.discardedArrival or 0.0) or None


@implementer(ICapture)
@define(eq=False, repr=False)
class FakeCapture:
    """
    Captures nothing.

    @ivar failure: what L{attach} raises, or C{None}.
    @ivar attached: the streams at work.
    @ivar detached: those that ended, with the time each lingered, or might have.
    @ivar quiet: those of them that were to end when it was quiet, with how long.
    @ivar withholding: nothing is written.
    @ivar waiting: if a list, detaching does not end by itself: a test fires
        the Deferreds that are put here.
    @ivar muting: if a list, the same for muting.
    """

    failure: Exception | None = None
    attached: list[FakeCapturedStream] = field(factory=list)
    detached: list[tuple[FakeCapturedStream, float]] = field(factory=list)
    quiet: list[tuple[FakeCapturedStream, float]] = field(factory=list)
    waiting: list[Deferred[ICapturedStream]] | None = None
    muting: list[Deferred[None]] | None = None
    withholding: bool = False

    def attach(
        self,
        pair: IPortPair,
        path: str,
        protection: Protection | None = None,
        muted: bool = False,
        expected: Expected = ANYBODY,
    ) -> FakeCapturedStream:
        """
        See L{ICapture.attach}.
        """
        if self.failure is not None:
            raise self.failure
        stream = FakeCapturedStream(path, pair, protection=protection, muted=muted)
        stream.expected = expected
        self.attached.append(stream)
        return stream

    def expect(self, stream: ICapturedStream, expected: Expected) -> None:
        """
        See L{ICapture.expect}.
        """
        assert isinstance(stream, FakeCapturedStream)
        stream.expected = expected

    def protect(self, stream: ICapturedStream, protection: Protection | None) -> None:
        """
        See L{ICapture.protect}.
        """
        assert isinstance(stream, FakeCapturedStream)
        stream.protection = protection

    def mute(self, stream: ICapturedStream, muted: bool) -> Deferred[None]:
        """
        See L{ICapture.mute}.
        """
        assert isinstance(stream, FakeCapturedStream)
        stream.muted = muted
        if self.muting is None:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self.muting.append(done)
        return done

    def withhold(self, nothing: bool) -> None:
        """
        See L{ICapture.withhold}.
        """
        self.withholding = nothing

    def report(self, stream: ICapturedStream, to: Destination | None) -> None:
        """
        See L{ICapture.report}.
        """
        assert isinstance(stream, FakeCapturedStream)
        stream.reportsTo = to

    def leave(self, stream: ICapturedStream) -> None:
        """
        See L{ICapture.leave}.
        """
        assert isinstance(stream, FakeCapturedStream)
        stream.reportsTo, stream.left = None, True

    def detach(self, stream: ICapturedStream, linger: float = 0.3) -> Deferred[ICapturedStream]:
        """
        See L{ICapture.detach}.
        """
        ended = [each for each in self.attached if id(each) == id(stream)]
        self.attached = [each for each in self.attached if id(each) != id(stream)]
        self.detached += [(each, linger) for each in ended]
        if self.waiting is None or not ended:
            return succeed(stream)
        done: Deferred[ICapturedStream] = Deferred()
        self.waiting.append(done)
        return done

    def detachWhenQuiet(
        self, stream: ICapturedStream, quiet: float = 0.5, limit: float = 10.0
    ) -> Deferred[ICapturedStream]:
        """
        See L{ICapture.detachWhenQuiet}.
        """
        self.quiet += [(each, quiet) for each in self.attached if id(each) == id(stream)]
        return self.detach(stream, limit)


__all__ = [
    "FakeCapture",
    "FakeCapturedStream",
    "FakePortPair",
    "FakePortPool",
    "FakeSipTransport",
]
