"""
Tests of L{siprec.store.sentinel}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from siprec.store.redisclient import RedisClient
from siprec.store.redisurl import parseRedisURL
from siprec.store.sentinel import SENTINEL_PATIENCE, SentinelEndpoint, makeEndpoint
from tests.store.certificates import makeCertificates
from tests.store.fakeredis import FakeRedis

MASTER = [b"10.0.0.9", b"6380"]


class SentinelTests(SynchronousTestCase):
    """
    The master is where a Sentinel says, at the moment of connecting.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.sentinels = [FakeRedis(plain={b"SENTINEL": MASTER}) for _ in range(3)]
        self.master = FakeRedis()
        places: dict[tuple[str, int], FakeRedis] = {("10.0.0.9", 6380): self.master}
        for number, sentinel in enumerate(self.sentinels):
            places["s", number] = sentinel
        self.endpoint = SentinelEndpoint(
            self.clock,
            [("s", number) for number in range(3)],
            "calls",
            lambda host, port: places[host, port],
        )

    def connect(self) -> Any:
        """
        @return: a Deferred of the connection to the master.
        """
        return self.endpoint.connect(Factory.forProtocol(RedisClient))

    def test_master(self) -> None:
        """
        One Sentinel is asked, by the master's name, and let go.
        """
        self.assertTrue(self.successResultOf(self.connect()).alive)
        self.assertEqual(self.master.tries, 1)
        self.assertEqual(self.sentinels[0].commands, ["SENTINEL GET-MASTER-ADDR-BY-NAME"])
        self.assertEqual(self.sentinels[0].connections, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_eachTryBeginsWithAnother(self) -> None:
        """
        A Sentinel that is cut off names the old master for ever: the next try
        does not begin with it.
        """
        for _ in range(4):
            self.successResultOf(self.connect())
        self.assertEqual([each.tries for each in self.sentinels], [2, 1, 1])

    def test_others(self) -> None:
        """
        Where a Sentinel is down, says nothing, refuses or knows no such
        master, the next one is asked.
        """
        self.sentinels[0].down = True
        self.sentinels[1].hung = True
        connecting = self.connect()
        self.assertNoResult(connecting)
        self.clock.advance(SENTINEL_PATIENCE)
        self.assertTrue(self.successResultOf(connecting).alive)
        self.assertEqual(self.sentinels[1].connections, [])
        self.sentinels[1].hung = False
        self.sentinels[1].plain[b"SENTINEL"] = None
        self.sentinels[2].plain[b"SENTINEL"] = ValueError("NOAUTH Authentication required.")
        reason = self.failureResultOf(self.connect(), ConnectError).getErrorMessage()
        for part in ("no master of the name 'calls'", "NOAUTH", "refused"):
            self.assertIn(part, reason)
        self.sentinels[0].down, self.sentinels[0].plain[b"SENTINEL"] = False, [b"odd"]
        self.failureResultOf(self.connect(), ConnectError)

    def test_masterIsDown(self) -> None:
        """
        The failure to reach the master is the failure of the try.
        """
        self.master.down = True
        self.failureResultOf(self.connect(), ConnectError)


class MakeEndpointTests(SynchronousTestCase):
    """
    Each form of address has its endpoint.
    """

    def make(self, text: str) -> Any:
        """
        @return: the endpoint of an address.
        """
        return makeEndpoint(MemoryReactorClock(), parseRedisURL(text))

    def test_plain(self) -> None:
        """
        A name, a path, Sentinels.
        """
        self.assertIsInstance(self.make("redis://r"), HostnameEndpoint)
        self.assertIsInstance(self.make("unix:///s"), UNIXClientEndpoint)
        self.assertIsInstance(self.make("redis+sentinel://a,b/m"), SentinelEndpoint)

    def test_tls(self) -> None:
        """
        TLS works with the system's certificates, with those of a file, and
        with a certificate of our own.
        """
        folder = self.mktemp()
        Path(folder).mkdir()
        makeCertificates(folder)
        self.make("rediss://r")
        self.make(f"rediss://r?ca={folder}/ca.pem")
        self.make(f"rediss://r?cert={folder}/server.pem&key={folder}/server.key")

    def test_badCertificates(self) -> None:
        """
        A file that is not there, holds no certificate, or a damaged one, is
        found at the start.
        """
        path = Path(self.mktemp())
        self.assertRaises(OSError, self.make, f"rediss://r?ca={path}")
        path.write_text("no certificate")
        self.assertRaises(ValueError, self.make, f"rediss://r?ca={path}")
        path.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        self.assertRaises(ValueError, self.make, f"rediss://r?ca={path}")

    def test_badKeys(self) -> None:
        """
        A file without a key, and the key of another certificate, are found at the
        start, and named.
        """
        folders = [Path(self.mktemp()) for _ in range(2)]
        for folder in folders:
            folder.mkdir()
            makeCertificates(str(folder))
        own, other = folders
        for key, why in (
            (own / "ca.pem", "has no private key"),
            (other / "server.key", "is not that of"),
        ):
            address = f"rediss://r?cert={own}/server.pem&key={key}"
            error = self.assertRaises(ValueError, self.make, address)
            self.assertIn(str(key), str(error))
            self.assertIn(why, str(error))
