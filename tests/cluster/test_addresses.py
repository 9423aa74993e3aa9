"""
Tests of L{siprec.cluster.addresses}.
"""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.addresses import Addresses, addressesOf
from siprec.cluster.places import Places
from siprec.session.model import NodeLease
from siprec.sip.datagram import FacingAddresses
from siprec.sip.transport import TransportService
from tests.sip.sockets import Receiver, SocketReactor
from tests.store.samples import N1, N2, makeLease

UDP, TCP = ("UDP", "192.0.2.1", 5060), ("TCP", "192.0.2.1", 5070)


def lease(*addresses: str) -> NodeLease:
    """
    @return: that of a node that listens at these, or at C{UDP} and C{TCP}.
    """
    found = addresses or ("udp:192.0.2.1:5060", "tcp:192.0.2.1:5070")
    return evolve(makeLease(), addresses=found)


class AddressesOfTests(SynchronousTestCase):
    """
    What a lease says of SIP.
    """

    def test_read(self) -> None:
        """
        UDP and TCP can be had, of either version of IP; TLS cannot, nor can
        what is no address.
        """
        found = lease(
            "udp:192.0.2.1:5060",
            "tcp:2001:db8::1:5060",
            "udp::::5062",
            "tls:192.0.2.1:5061",
            "192.0.2.1:5060",
            "udp:192.0.2.1:0",
            "udp:192.0.2.1:65536",
            "udp:192.0.2.1:\u0663",
            "udp",
            "",
        )
        self.assertEqual(
            addressesOf(found),
            [("UDP", "192.0.2.1", 5060), ("TCP", "2001:db8::1", 5060), ("UDP", "::", 5062)],
        )


class AddressesTests(SynchronousTestCase):
    """
    A host to which the addresses of C{n1} may come.
    """

    def setUp(self) -> None:
        self.reactor = SocketReactor()
        self.transport = TransportService(
            self.reactor,
            ["udp:5090:interface=192.0.2.9"],
            None,
            Receiver(),
            facing=FacingAddresses(self.reactor.seconds, lambda host: "192.0.2.9"),
        )
        self.here = {"192.0.2.1", "192.0.2.9", "host"}
        self.shares = False
        places = Places(None, lambda host: host in self.here, lambda lease: self.shares)
        self.addresses = Addresses(self.transport, places, self.reactor)
        self.addCleanup(self.stop)

    def stop(self) -> None:
        """
        At the end no address is held and no timer runs.
        """
        self.successResultOf(self.addresses.stopService())
        self.assertEqual((self.addresses.held, self.transport.adopted), ({}, []))
        self.successResultOf(self.transport.stopService())
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def start(self) -> None:
        """
        Start all.
        """
        self.transport.startService()
        self.addresses.startService()

    def test_take(self) -> None:
        """
        What is on this host is listened at, at once.
        """
        self.start()
        self.addresses.take(lease())
        self.assertEqual(self.addresses.held, {N1: [UDP, TCP]})
        self.assertEqual(self.transport.adopted, [UDP, TCP])
        self.addresses.take(lease())
        self.assertEqual(self.addresses.held, {N1: [UDP, TCP]})

    def test_comesLater(self) -> None:
        """
        What is not here yet is tried once a second.
        """
        self.here.remove("192.0.2.1")
        self.start()
        self.addresses.take(lease())
        self.reactor.advance(5)
        self.assertEqual(self.addresses.held, {})
        self.here.add("192.0.2.1")
        self.reactor.advance(0.9)
        self.assertEqual(self.addresses.held, {})
        self.reactor.advance(0.1)
        self.assertEqual(self.addresses.held, {N1: [UDP, TCP]})

    def test_inUse(self) -> None:
        """
        What another process has is tried again, and does not keep this node
        from the rest.
        """
        self.reactor.used.add(5060)
        self.start()
        self.addresses.take(lease())
        self.assertEqual(self.addresses.held, {N1: [TCP]})
        self.reactor.used.clear()
        self.reactor.advance(1)
        self.assertEqual(self.addresses.held, {N1: [TCP, UDP]})

    def test_diedBefore(self) -> None:
        """
        A node that was dead before the start is not forgotten, nor is one when
        the transport does not run yet.
        """
        self.addresses.take(lease())
        self.addresses.startService()
        self.assertEqual(self.addresses.held, {})
        self.transport.startService()
        self.reactor.advance(1)
        self.assertEqual(self.addresses.held, {N1: [UDP, TCP]})

    def test_giveBack(self) -> None:
        """
        A node that is back gets its addresses, and they are not taken again as
        long as it lives.
        """
        self.start()
        self.addresses.take(lease())
        closing: Deferred[None] = Deferred()
        port = self.reactor.udpPorts[-1]
        port.stopListening = lambda: closing  # type: ignore[method-assign]
        given = self.addresses.giveBack(N1)
        self.assertEqual((self.addresses.held, self.transport.adopted), ({}, []))
        self.assertNoResult(given)
        closing.callback(None)
        self.successResultOf(given)
        self.reactor.advance(5)
        self.assertEqual(self.addresses.held, {})
        self.addresses.take(lease())
        self.assertEqual(self.addresses.held, {N1: [UDP, TCP]})

    def test_giveBackNothing(self) -> None:
        """
        Where nothing is held there is nothing to wait for; it is not tried any
        more.
        """
        self.here.clear()
        self.start()
        self.addresses.take(lease())
        self.successResultOf(self.addresses.giveBack(N1))
        self.successResultOf(self.addresses.giveBack(N2))
        self.here.add("192.0.2.1")
        self.reactor.advance(5)
        self.assertEqual(self.addresses.held, {})

    def test_sameAddress(self) -> None:
        """
        Of two dead nodes that had the same address one has it; the other's name
        is no reason to listen where a node that is back listens.
        """
        self.start()
        self.addresses.take(lease())
        self.addresses.take(evolve(lease(), nodeID=N2))
        self.assertEqual(self.addresses.held, {N1: [UDP, TCP]})
        self.successResultOf(self.addresses.giveBack(N1))
        self.reactor.advance(5)
        self.assertEqual(self.addresses.held, {})

    def test_underAnotherName(self) -> None:
        """
        A node that comes with an address that a dead one had gets it, if its
        lease is known.
        """
        self.start()
        self.addresses.take(lease())
        new = evolve(lease("udp:192.0.2.1:5060"), nodeID=N2)
        self.successResultOf(self.addresses.giveBack(N2, new))
        self.reactor.advance(5)
        self.assertEqual(self.addresses.held, {N1: [TCP]})
        self.addresses.take(new)
        self.assertEqual(self.addresses.held, {N1: [TCP], N2: [UDP]})

    def test_sameMachine(self) -> None:
        """
        What a process of this machine listened at is here, whatever it says;
        what cannot be listened at is passed over.
        """
        self.shares = True
        self.start()
        self.addresses.take(lease("udp:host:5060", "udp:0.0.0.0:5060"))
        self.assertEqual(self.addresses.held, {N1: [("UDP", "0.0.0.0", 5060)]})

    def test_fault(self) -> None:
        """
        A fault of ours is logged, and it is tried again.
        """
        self.start()
        del self.here
        self.addresses.take(lease())
        self.here = {"192.0.2.1"}
        self.reactor.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)
        self.assertEqual(self.addresses.held, {N1: [UDP, TCP]})

    def test_stop(self) -> None:
        """
        The stop ends it all; a node that dies then is another's.
        """
        self.start()
        self.addresses.take(lease())
        self.successResultOf(self.addresses.stopService())
        self.addresses.take(lease())
        self.assertEqual(self.transport.adopted, [])
