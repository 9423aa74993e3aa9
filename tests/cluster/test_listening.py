"""
Tests of L{siprec.cluster.listening}.
"""

from __future__ import annotations

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.listening import listenAt


class ListenAtTests(SynchronousTestCase):
    """
    The address for the other nodes.
    """

    def setUp(self) -> None:
        self.names = {"redis.example": "192.0.2.9"}
        self.ways = {"192.0.2.9": "192.0.2.1", "2001:db8::9": "2001:db8::1"}

    def at(self, listen: str, url: str) -> str:
        """
        @return: where it is listened.
        """
        return listenAt(listen, url, self.names.get, self.ways.get)

    def test_given(self) -> None:
        """
        An address that is configured is taken as it is; nothing is looked up.
        """
        listen = "tcp:7000:interface=198.51.100.1"
        self.assertEqual(self.at(listen, "redis://nowhere.example"), listen)

    def test_facing(self) -> None:
        """
        Without one it is that which faces the store.
        """
        at = "tcp:7000:interface=192.0.2.1"
        self.assertEqual(self.at("tcp:7000", "redis://192.0.2.9:6379/0"), at)
        self.assertEqual(self.at("tcp:7000", "redis://redis.example"), at)
        self.assertEqual(self.at("tcp:7000", "redis+sentinel://192.0.2.9:26379/m/0"), at)

    def test_IPv6(self) -> None:
        """
        The colons of an IPv6 address are none of the endpoint's.
        """
        at = self.at("tcp:0", "redis://[2001:db8::9]:6379/0")
        self.assertEqual(at, "tcp:0:interface=2001\\:db8\\:\\:1")

    def test_unix(self) -> None:
        """
        A store on this host is faced by its loopback address, if by any.
        """
        self.ways["127.0.0.1"] = "127.0.0.1"
        self.assertEqual(
            self.at("tcp:7000", "unix:///run/redis.sock?db=0"), "tcp:7000:interface=127.0.0.1"
        )

    def test_noWay(self) -> None:
        """
        Where there is no way to the store, or its name is not known, only this
        host can be reached, and the log says so.
        """
        for url in ("redis://198.51.100.9", "redis://nowhere.example"):
            with capturedLogs() as events:
                at = self.at("tcp:7000", url)
            self.assertEqual(at, "tcp:7000:interface=127.0.0.1")
            [event] = events
            self.assertIn(event["host"], url)

    def test_real(self) -> None:
        """
        Left alone it asks the system.
        """
        at = listenAt("tcp:7000", "redis://127.0.0.1:6379/0")
        self.assertEqual(at, "tcp:7000:interface=127.0.0.1")
        with capturedLogs() as events:
            at = listenAt("tcp:7000", "redis://name.invalid")
        self.assertEqual((at, len(events)), ("tcp:7000:interface=127.0.0.1", 1))
        self.assertIn("tcp:7000:interface=", listenAt("tcp:7000", "redis://localhost"))
