"""
Host names to addresses, by the reactor's own resolver (RFC 3263 section 4.2).
"""

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IReactorTime,
    IResolutionReceiver,
)
from zope.interface import implementer

from siprec.sip.matching import plainHost


@implementer(IResolutionReceiver)
class _Addresses:
    """
    Collects what a name stands for.
    """

    def __init__(self, name: str) -> None:
        self.found: Deferred[list[str]] = Deferred(lambda _: self._cancel())
        self._name = name
        self._hosts: list[str] = []
        self._resolution: IHostResolution | None = None

    def resolutionBegan(self, resolution: IHostResolution) -> None:
        """
        See L{IResolutionReceiver}.
        """
        self._resolution = resolution

    def addressResolved(self, address: IAddress) -> None:
        """
        See L{IResolutionReceiver}.
        """
        host = getattr(address, "host", None)
        if host is not None:
            self._hosts.append(plainHost(host))

    def resolutionComplete(self) -> None:
        """
        See L{IResolutionReceiver}.
        """
        if self.found.called:
            return
        if self._hosts:
            self.found.callback(self._hosts)
        else:
            self.found.errback(DNSLookupError(f"no address for {self._name}"))

    def _cancel(self) -> None:
        if self._resolution is not None:
            self._resolution.cancel()


def resolve(
    resolver: IHostnameResolver, clock: IReactorTime, name: str, seconds: float
) -> Deferred[Sequence[str]]:
    """
    Look up the A and AAAA records of a name.

    @return: fires with at least one IP address; fails with L{DNSLookupError},
        or with L{twisted.internet.defer.TimeoutError} after so many seconds.
    """
    addresses = _Addresses(name)
    resolver.resolveHostName(addresses, name)
    return addresses.found.addTimeout(seconds, clock)
