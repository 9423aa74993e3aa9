"""
Tests of L{siprec.addresses}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec import addresses
from siprec.values import Check


class AddressTests(SynchronousTestCase):
    """
    Each check takes what can be reached or bound, and says of the rest what was
    expected.
    """

    def refused(self, check: Check, expected: str, *wrong: object) -> None:
        """
        Assert that every wrong value raises C{ValueError} with the expected text.
        """
        for value in wrong:
            with self.subTest(value=value):
                error = self.assertRaises(ValueError, check, value)
                self.assertIn(expected, str(error))

    def test_mediaAddress(self) -> None:
        """
        The address for SDP is a unicast one: 0.0.0.0 would mean hold
        (RFC 3264 section 8.4).
        """
        self.assertIdentical(addresses.mediaAddress(""), None)
        self.assertEqual(addresses.mediaAddress("192.0.2.1"), "192.0.2.1")
        self.assertEqual(addresses.mediaAddress("2001:DB8::1"), "2001:db8::1")
        wrong = ("0.0.0.0", "::", "224.0.0.1", "pbx.example.com", "[::1]", "1.2.3", 1)
        self.refused(addresses.mediaAddress, "an IP address that peers can send to", *wrong)

    def test_interfaceAddress(self) -> None:
        """
        The address to bind may be that of every interface.
        """
        self.assertIdentical(addresses.interfaceAddress(""), None)
        self.assertEqual(addresses.interfaceAddress("0.0.0.0"), "0.0.0.0")
        self.refused(
            addresses.interfaceAddress, "an IP address of this machine", "eth0", "1.2.3.4/8"
        )

    def test_portRange(self) -> None:
        """
        A port range begins even and has room for one pair of RTP and RTCP
        (RFC 3550 section 11).
        """
        self.assertEqual(addresses.portRange("10000-19999"), (10000, 19999))
        self.assertEqual(addresses.portRange("2-3"), (2, 3))
        wrong = ("10001-19999", "10000-10000", "20000-10000", "0-9", "10000-65536", "10000", "a-b")
        self.refused(addresses.portRange, "'LOW-HIGH'", *wrong)
        self.refused(addresses.portRange, "text", 10000)

    def test_hostPort(self) -> None:
        """
        An advertised place is a host name or address, with or without a port.
        """
        for text, expected in (
            ("", None),
            ("192.0.2.1", ("192.0.2.1", None)),
            ("rec.example.com:5062", ("rec.example.com", 5062)),
            ("[2001:db8::1]:5060", ("2001:db8::1", 5060)),
            ("[2001:db8::1]", ("2001:db8::1", None)),
        ):
            self.assertEqual(addresses.hostPort(text), expected)
        wrong = (
            "2001:db8::1",
            "[192.0.2.1]",
            "[zebra]",
            "a:0",
            "a:65536",
            "a:",
            ":5060",
            "a b",
            "sip:a@b",
            "x" * 254,
            "a..b",
        )
        self.refused(addresses.hostPort, "'HOST' or 'HOST:PORT'", *wrong)

    def test_hostName(self) -> None:
        """
        A host's name is of labels that are not empty, in all at most 253 characters.
        """
        for text in ("rec", "rec.example.com.", "192.0.2.1", "a_b-c"):
            self.assertTrue(addresses.isHostName(text), text)
        for text in ("", "-a", "a..b", "a b", "x" * 64, ".".join(["x" * 63] * 4)):
            self.assertFalse(addresses.isHostName(text), text)

    def test_port(self) -> None:
        """
        A port is up to five ASCII digits, at most 65535.
        """
        self.assertTrue(addresses.isPort("0") and addresses.isPort("65535"))
        for text in ("", "65536", "-1", "5o60", "\u0664", "000001"):
            self.assertFalse(addresses.isPort(text), text)
