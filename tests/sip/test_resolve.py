"""
Tests for L{siprec.sip.resolve}.
"""

from collections.abc import Sequence

from attrs import define, field
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import TimeoutError
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IResolutionReceiver,
)
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from siprec.sip.resolve import resolve


@implementer(IHostResolution)
@define(eq=False)
class _Resolution:
    """
    One name being resolved.
    """

    name: str
    cancelled: bool = False

    def cancel(self) -> None:
        """
        See L{IHostResolution}.
        """
        self.cancelled = True


@implementer(IHostnameResolver)
@define(eq=False)
class _Resolver:
    """
    A resolver that waits to be told what a name stands for.
    """

    receivers: list[IResolutionReceiver] = field(factory=list)
    resolutions: list[_Resolution] = field(factory=list)

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """
        See L{IHostnameResolver}.
        """
        resolution = _Resolution(hostName)
        self.receivers.append(resolutionReceiver)
        self.resolutions.append(resolution)
        resolutionReceiver.resolutionBegan(resolution)
        return resolution


class ResolveTests(SynchronousTestCase):
    """
    Names to addresses.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.resolver = _Resolver()
        self.found = resolve(self.resolver, self.clock, "src.example.com", 10)
        (self.receiver,) = self.resolver.receivers
        (self.resolution,) = self.resolver.resolutions
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def test_interfaces(self) -> None:
        """
        The fakes and the receiver provide what Twisted asks for.
        """
        verifyObject(IHostnameResolver, self.resolver)
        verifyObject(IHostResolution, self.resolution)
        verifyObject(IResolutionReceiver, self.receiver)
        self.receiver.resolutionComplete()
        self.failureResultOf(self.found, DNSLookupError)

    def test_found(self) -> None:
        """
        It fires with all addresses, in the resolver's order, once all are known.
        """
        self.receiver.addressResolved(IPv6Address("TCP", "2001:DB8::1", 0))
        self.receiver.addressResolved(UNIXAddress("/nowhere"))
        self.receiver.addressResolved(IPv4Address("TCP", "192.0.2.1", 0))
        self.assertNoResult(self.found)
        self.receiver.resolutionComplete()
        self.assertEqual(self.successResultOf(self.found), ["2001:db8::1", "192.0.2.1"])

    def test_nothing(self) -> None:
        """
        A name without an address is an error that names it.
        """
        self.receiver.resolutionComplete()
        reason = self.failureResultOf(self.found, DNSLookupError)
        self.assertIn("src.example.com", str(reason.value))

    def test_tooLate(self) -> None:
        """
        After its time the resolution is cancelled; what it still says is ignored.
        """
        self.clock.advance(10)
        self.failureResultOf(self.found, TimeoutError)
        self.assertTrue(self.resolution.cancelled)
        self.receiver.addressResolved(IPv4Address("TCP", "192.0.2.1", 0))
        self.receiver.resolutionComplete()
