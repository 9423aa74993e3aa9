"""
Tests of L{siprec.cluster.contact}.
"""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.contact import NoContact, contactData, contactOf, joinAddress
from siprec.ids import NodeID
from siprec.session.model import NodeLease

KEY = bytes(range(32))


def lease(data: Any) -> NodeLease:
    """
    @return: a lease with this under C{cluster}.
    """
    return NodeLease(NodeID("n1"), "i1", "host", 1, data={"cluster": data})


class ContactTests(SynchronousTestCase):
    """
    What a lease tells of how its node is reached.
    """

    def test_roundTrip(self) -> None:
        """
        Name, IPv4 and IPv6 address, port and key come back as they were.
        """
        for host in ("node1.example", "192.0.2.1", "2001:db8::1"):
            contact = contactOf(lease(contactData(joinAddress(host, 7000), KEY)))
            self.assertEqual((contact.host, contact.port, contact.key), (host, 7000, KEY))

    def test_form(self) -> None:
        """
        It is the address, the key in hexadecimal, and the schemas.
        """
        self.assertEqual(
            contactData("[::1]:7000", KEY),
            {"address": "[::1]:7000", "key": KEY.hex(), "schema": [1, 1]},
        )

    def test_keyIsNotShown(self) -> None:
        """
        The key is in no text that is made of it.
        """
        self.assertNotIn("0102", repr(contactOf(lease(contactData("h:1", KEY)))))
        self.assertNotIn("x01", repr(contactOf(lease(contactData("h:1", KEY)))))

    def test_none(self) -> None:
        """
        Where nothing, or something else, stands in the lease, there is no contact.
        """
        good = contactData("h:1", KEY)
        bad = [
            *(None, "h:1", {}, {**good, "address": 5}, {**good, "address": "h"}),
            *({**good, "address": "h:0"}, {**good, "address": "h:65536"}),
            *({**good, "address": "::1:5"}, {**good, "key": None}, {**good, "key": "zz" * 32}),
            {**good, "key": "00" * 15},
        ]
        for data in bad:
            self.assertRaises(NoContact, contactOf, lease(data))
        self.assertRaises(NoContact, contactOf, NodeLease(NodeID("n1"), "i1", "host", 1))
