"""
How many new calls a second are looked at, of one source and of all, and what
peers are told of it (RFC 7339).

Pure: times in, decisions out.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from attrs import define, evolve, field

from siprec.sip.message import Request

__all__ = ["Bucket", "Throttle", "TooMany", "withFeedback"]

#: Whose rate is exceeded.
TooMany = Literal["sourceRate", "nodeRate"]

# Sources that are remembered, those met last.
_MOST = 10_000

# So many seconds' worth of calls may come at once.
_BURST = 2.0

# Seconds over which refusals are counted for feedback.
_WINDOW = 1.0

# Milliseconds for which feedback is valid (RFC 7339 section 4.4).
_VALIDITY = 2000

_COOKIE = "z9hG4bK"


@define(eq=False, repr=False)
class Bucket:
    """
    Lets through so many a second, and a burst after a quiet while.
    """

    _tokens: float
    _since: float

    def has(self, rate: float, now: float) -> bool:
        """
        @param rate: a second; above 0.
        @return: whether one more may pass.
        """
        most = max(rate * _BURST, 1.0)
        self._tokens = min(self._tokens + (now - self._since) * rate, most)
        self._since = now
        return self._tokens >= 1

    def take(self) -> None:
        """
        One passes.
        """
        self._tokens -= 1


@define(eq=False, repr=False)
class Throttle:
    """
    @ivar sourceRate: initial INVITEs a second of one source; 0: no limit.
    @ivar nodeRate: of all sources.
    """

    _seconds: Callable[[], float]
    sourceRate: float = 0.0
    nodeRate: float = 0.0
    _sources: OrderedDict[str, Bucket] = field(factory=OrderedDict, init=False)
    _node: Bucket = field(init=False)
    _windowSince: float = field(default=0.0, init=False)
    _asked: int = field(default=0, init=False)
    _refused: int = field(default=0, init=False)
    _loss: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._node = Bucket(float("inf"), self._seconds())

    def take(self, host: str) -> TooMany | None:
        """
        A new call is asked for.

        @param host: the address that it comes from.
        @return: why it must be refused, if so.
        """
        now = self._seconds()
        self._turn(now)
        refusal = self.wouldRefuse(host)
        # What one source has too much says nothing to the others.
        self._asked += refusal != "sourceRate"
        self._refused += refusal == "nodeRate"
        if refusal is not None:
            return refusal
        if self.sourceRate:
            self._bucket(host, now).take()
        if self.nodeRate:
            self._node.take()
        return None

    def wouldRefuse(self, host: str) -> TooMany | None:
        """
        @return: what L{take} would, without taking anything.
        """
        now = self._seconds()
        if self.sourceRate and not self._bucket(host, now).has(self.sourceRate, now):
            return "sourceRate"
        if self.nodeRate and not self._node.has(self.nodeRate, now):
            return "nodeRate"
        return None

    def loss(self, host: str) -> int:
        """
        @return: how many of a hundred new calls a peer should send elsewhere
            (RFC 7339 section 5.10.1): all, if its own are too many.
        """
        self._turn(self._seconds())
        return 100 if self.wouldRefuse(host) == "sourceRate" else self._loss

    def _turn(self, now: float) -> None:
        if now - self._windowSince < _WINDOW:
            return
        # Of a window long ago nothing holds any more.
        fresh = now - self._windowSince < 2 * _WINDOW
        part = -(-100 * self._refused // self._asked) if self._asked and fresh else 0
        self._windowSince, self._loss, self._asked, self._refused = now, part, 0, 0

    def _bucket(self, host: str, now: float) -> Bucket:
        source = _network(host)
        bucket = self._sources.get(source)
        if bucket is None:
            bucket = self._sources[source] = Bucket(float("inf"), now)
            if len(self._sources) > _MOST:
                self._sources.popitem(last=False)
        self._sources.move_to_end(source)
        return bucket


def _network(host: str) -> str:
    """
    @return: what stands for one source: an IPv4 address, or the 64 bits of an
        IPv6 network, of which whoever has one address has them all.
    """
    if ":" not in host:
        return host
    try:
        address = int(ipaddress.IPv6Address(host.partition("%")[0]))
    except ValueError:
        return host
    return f"{address >> 64:x}::"


def withFeedback(request: Request, loss: int, now: float) -> Request:
    """
    Put overload feedback into the topmost Via, if the peer asks for it: each
    response copies it from there (RFC 7339 sections 4 and 5.2).

    @param loss: how many of a hundred requests should go elsewhere.
    @param now: seconds since the Unix epoch.
    """
    via = request.via
    # Of an old peer the whole Via tells one request from another: it must stay
    # as it is.
    if not via.hasParam("oc") or not (via.branch or "").startswith(_COOKIE):
        return request
    known = [each.strip().lower() for each in (via.param("oc-algo") or "").split(",")]
    if "loss" not in known:
        return request
    noted = evolve(via, params=tuple(each for each in via.params if each[0].lower() != "oc-algo"))
    noted = noted.withParam("oc", str(loss)).withParam("oc-algo", '"loss"')
    noted = noted.withParam("oc-validity", str(_VALIDITY)).withParam("oc-seq", f"{now:.3f}")
    values = [str(noted), *request.headers.values("Via")[1:]]
    return evolve(request, headers=request.headers.replacing("Via", *values))
