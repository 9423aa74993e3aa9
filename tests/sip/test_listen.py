"""
Tests for L{siprec.sip.listen}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.listen import Listen, parseListen


class ListenTests(SynchronousTestCase):
    """
    Listening strings.
    """

    def test_good(self) -> None:
        """
        A kind, a port, and maybe an interface; IPv6 with or without escapes.
        """
        for text, expected in (
            ("udp:5060", Listen("UDP", "", 5060, "udp:5060")),
            (
                "udp:0:interface=127.0.0.1",
                Listen("UDP", "127.0.0.1", 0, "udp:0:interface=127.0.0.1"),
            ),
            ("udp:1:interface=::", Listen("UDP", "::", 1, r"udp:1:interface=\:\:")),
            (r"udp:1:interface=\:\:1", Listen("UDP", "::1", 1, r"udp:1:interface=\:\:1")),
            ("tcp:1:interface=[::1]", Listen("TCP", "::1", 1, r"tcp:1:interface=\:\:1")),
            (
                "tcp:1:interface=::1:backlog=9",
                Listen("TCP", "::1", 1, r"tcp:1:interface=\:\:1:backlog=9"),
            ),
            (
                "ssl:port=5061:privateKey=/k.pem",
                Listen("TLS", "", 5061, "tcp:5061", "/k.pem", "/k.pem"),
            ),
            (
                r"ssl:5061:certKey=/c\:.pem:interface=::1:privateKey=/k.pem:backlog=5",
                Listen(
                    "TLS",
                    "::1",
                    5061,
                    r"tcp:5061:interface=\:\:1:backlog=5",
                    "/c:.pem",
                    "/k.pem",
                ),
            ),
            ("ssl:5061", Listen("TLS", "", 5061, "tcp:5061")),
        ):
            self.assertEqual(parseListen(text), expected)

    def test_bad(self) -> None:
        """
        Anything else is refused, with the text in question.
        """
        for text in (
            "",
            "5060",
            "sctp:5060",
            "unix:/tmp/x",
            "udp",
            "udp:70000",
            "udp:x",
            "udp:1:2",
            "udp:1:backlog=5",
            "udp:1:interface=example.com",
            "tcp:1:interface=1.2.3",
            "tcp:1:interface=::zz",
            "ssl:5061:sslmethod=SSLv3_METHOD",
        ):
            error = self.assertRaises(ValueError, parseListen, text)
            self.assertIn(repr(text), str(error))
