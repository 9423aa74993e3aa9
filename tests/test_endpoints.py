"""
Tests of L{siprec.endpoints}.
"""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.endpoints import _parse
from twisted.trial.unittest import SynchronousTestCase

from siprec import endpoints
from siprec.values import Check


class ListenTests(SynchronousTestCase):
    """
    Each check takes what can be listened at, and says of the rest what was
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

    def test_listenStrings(self) -> None:
        """
        SIP is listened for at one or more udp:, tcp: or ssl: strings.
        """
        listen = [
            "udp:5060",
            "udp:0:interface=127.0.0.1",
            "tcp:5060:interface=\\:\\:1:backlog=128",
            "ssl:5061:privateKey=/etc/key.pem:certKey=/etc/cert.pem",
        ]
        self.assertEqual(endpoints.listenStrings(listen), tuple(listen))
        self.refused(endpoints.listenStrings, "a list of at least one string", [], "udp:5060", None)
        self.refused(endpoints.listenStrings, "text", [5060])
        self.refused(
            endpoints.listenStrings, "'udp:PORT", ["ws:80"], ["5060"], [""], ["tcp:5060\\"]
        )
        self.refused(
            endpoints.listenStrings, "one port", ["udp"], ["udp:65536"], ["udp:x"], ["udp:1:2"]
        )
        self.refused(endpoints.listenStrings, "nothing but interface after", ["udp:5060:backlog=5"])
        self.refused(endpoints.listenStrings, "an IP address", ["udp:5060:interface=eth0"])

    def test_listenOnPlainIPv6(self) -> None:
        """
        An IPv6 address may be written without the backslashes that endpoint
        strings want, and with brackets.
        """
        for text, expected in (
            ("udp:5060:interface=::1", "udp:5060:interface=\\:\\:1"),
            ("tcp:5060:interface=[2001:db8::1]", "tcp:5060:interface=2001\\:db8\\:\\:1"),
            ("tcp:5060:interface=::1:backlog=5", "tcp:5060:interface=\\:\\:1:backlog=5"),
        ):
            self.assertEqual(endpoints.listenStrings([text]), (expected,))
            self.assertEqual(endpoints.listenStrings([expected]), (expected,))
        self.refused(endpoints.listenStrings, "one port", ["udp:5060:interface=2001:db8:zz"])
        self.refused(endpoints.listenStrings, "an IP address", ["udp:5060:interface=1:2:3"])

    def test_httpListen(self) -> None:
        """
        HTTP is listened for at one endpoint, or not at all.
        """
        for value in ("", "tcp:8080", "ssl:443:interface=127.0.0.1"):
            self.assertEqual(endpoints.httpListen(value), value)
        self.refused(endpoints.httpListen, "'tcp:PORT", "udp:8080", "8080")
        self.refused(endpoints.httpListen, "text", 8080)

    def test_manholeListen(self) -> None:
        """
        The SSH shell is off, or at one address that is named: who leaves it
        out would open the process to everybody.
        """
        for value in ("", "tcp:2222:interface=127.0.0.1", "tcp:0:interface=\\:\\:1"):
            self.assertEqual(endpoints.manholeListen(value), value)
        self.refused(endpoints.manholeListen, "an address after", "tcp:2222", "tcp:2222:interface=")
        self.refused(endpoints.manholeListen, "'tcp:PORT", "ssl:22:interface=127.0.0.1", "2222")
        self.refused(endpoints.manholeListen, "text", 2222, True)

    def test_clusterListen(self) -> None:
        """
        Other nodes are listened for at one TCP address.
        """
        for value in ("tcp:0", "tcp:7100:interface=192.0.2.1"):
            self.assertEqual(endpoints.clusterListen(value), value)
        self.refused(endpoints.clusterListen, "'tcp:PORT", "ssl:7100", "udp:7100", "")
        self.refused(endpoints.clusterListen, "text", 7100)


class SplitEndpointTests(SynchronousTestCase):
    """
    L{endpoints.splitEndpoint} reads endpoint strings as Twisted does.
    """

    def test_parts(self) -> None:
        """
        Colons and equals signs part the fields, unless a backslash is before them.
        """
        self.assertEqual(
            endpoints.splitEndpoint("ssl:5061:interface=\\:\\:1:privateKey=/a\\=b=c"),
            ("ssl", ["5061"], {"interface": "::1", "privateKey": "/a=b=c"}),
        )
        self.assertEqual(endpoints.splitEndpoint(""), ("", [], {}))

    @settings(max_examples=300, deadline=None)
    @given(st.text(alphabet="ab:=\\", max_size=12) | st.from_regex(r"\Atcp:[0-9]+(:[a-z]=\w)*\Z"))
    def test_sameAsTwisted(self, description: str) -> None:
        """
        What is well escaped comes apart as in C{serverFromString}.
        """
        if endpoints._WELL_ESCAPED.fullmatch(description):
            positional, named = _parse(description)
            kind, others, ours = endpoints.splitEndpoint(description)
            if not description.startswith(tuple(f"{name}=" for name in named)):
                self.assertEqual(([kind, *others][: len(positional)], ours), (positional, named))
