"""
Tests of L{siprec.cluster.places}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.places import Places, canBind
from siprec.ids import NodeID
from siprec.session.model import NodeLease
from siprec.session.processes import thisProcess

LEASE = NodeLease(NodeID("b"), "1", "elsewhere", 7)


class PlacesTests(SynchronousTestCase):
    """
    Where an address of another node leads to.
    """

    def places(self, *bindable: str, address: str | None = None) -> Places:
        """
        @return: the view of a host that has these addresses.
        """
        return Places(address, lambda host: host in bindable)

    def test_sameMachine(self) -> None:
        """
        Any address of a process beside this one is here, loopback too.
        """
        lease = NodeLease(NodeID("b"), "1", "here", 7, data=thisProcess())
        self.assertTrue(self.places().isHere("127.0.0.1", lease))
        self.assertTrue(self.places().isHere("0.0.0.0", lease))

    def test_moved(self) -> None:
        """
        An address that has moved to this host is here; others are not.
        """
        places = self.places("192.0.2.1", "2001:db8::1")
        for host, here in (("192.0.2.1", True), ("2001:db8::1", True), ("192.0.2.2", False)):
            self.assertEqual(places.isHere(host, LEASE), here)
            self.assertEqual(places.isHere(host, None), here)

    def test_everybodys(self) -> None:
        """
        Loopback and the wildcard can be bound everywhere, and lead to the
        machine that says so.
        """
        places = self.places("127.0.0.1", "0.0.0.0", "::1", "::")
        for host in ("127.0.0.1", "0.0.0.0", "::1", "::"):
            self.assertFalse(places.isHere(host, LEASE))

    def test_shared(self) -> None:
        """
        An address in front of several nodes leads to each of them.
        """
        self.assertTrue(self.places(address="203.0.113.1").isHere("203.0.113.1", LEASE))
        self.assertFalse(self.places(address="203.0.113.1").isHere("203.0.113.2", LEASE))

    def test_name(self) -> None:
        """
        What is no address is nowhere.
        """
        self.assertFalse(self.places("srs").isHere("srs.example.com", LEASE))

    def test_canBind(self) -> None:
        """
        The kernel tells which addresses this host has.
        """
        self.assertTrue(canBind("127.0.0.1"))
        self.assertFalse(canBind("192.0.2.1"))
        self.assertFalse(canBind("2001:db8::1"))
