"""
L{siprec.store.redis} and the ways into a server: passwords, users, TLS, sockets.
"""

from __future__ import annotations

import os
from typing import Any

from siprec.session.model import NodeLease
from siprec.store.errors import StoreUnavailable
from tests.functional.node import HOST, freePort
from tests.functional.rediscase import N1, PREFIX, RedisCase, makeData
from tests.functional.redisserver import startServer
from tests.store.certificates import makeCertificates


class AccessTests(RedisCase):
    """
    The ways in.
    """

    async def check(self, url: str, **more: Any) -> None:
        """
        A record can be written and read.
        """
        store = self.openStore(url, **more)
        data = await store.store(makeData(), 60)
        self.assertEqual(await store.get("s1"), data)
        await store.delete("s1")

    async def test_password(self) -> None:
        """
        The password may be in the address or in a file; a wrong one, or none,
        is said so, and does not appear in what is said.
        """
        server = startServer(self, "redis", "--requirepass", "s:e@c", password="s:e@c")
        await self.check(f"redis://:s%3Ae%40c@{HOST}:{server.port}")
        path = self.mktemp()
        with open(path, "w", encoding="utf-8") as file:
            file.write("s:e@c\n")
        await self.check(server.url, passwordFile=path)
        for url, code in (
            (f"redis://:wrong@{HOST}:{server.port}", "WRONGPASS"),
            (server.url, "NOAUTH"),
        ):
            why = await self.failing(self.openStore(url).get("s1"), StoreUnavailable)
            self.assertIn(code, why)
            self.assertNotIn("wrong", why.lower().replace("wrongpass", ""))

    async def test_user(self) -> None:
        """
        A user of the access list needs the keys of its prefix and these
        commands, and no more.
        """
        server = startServer(self, "redis")
        server.client().acl_setuser(
            "rec",
            enabled=True,
            passwords=["+pw"],
            keys=["{siprec}:*"],
            commands=["+@read", "+@write", "+@scripting", "+time", "-@dangerous"],
        )
        url = f"redis://rec:pw@{HOST}:{server.port}"
        await self.check(url)
        store = self.openStore(url)
        await store.heartbeat(NodeLease(N1, "i", "h", 1), 3)
        await store.health()
        await store.stats()
        await store.cleanup()
        foreign = self.openStore(url, prefix="other:")
        why = await self.failing(foreign.get("s1"), StoreUnavailable)
        self.assertRegex(why, "(?i)can't access|permission")

    async def test_unix(self) -> None:
        """
        A Unix socket, and a database by its number.
        """
        server = startServer(self, "redis")
        await self.check(f"unix://{server.path}")
        store = self.openStore(f"unix://{server.path}?db=5")
        await store.store(makeData(), 60)
        for database, there in ((0, 0), (5, 1)):
            self.assertEqual(server.client(db=database).exists(f"{PREFIX}session:s1"), there)
        why = await self.failing(
            self.openStore(f"redis://{HOST}:{server.port}/77").get("s1"), StoreUnavailable
        )
        self.assertIn("out of range", why)

    async def test_tls(self) -> None:
        """
        TLS with a server whom the given authority knows; one of an unknown
        authority, or of another name, is refused.
        """
        folder, strange = self.mktemp(), self.mktemp()
        for each in (folder, strange):
            os.mkdir(each)
            makeCertificates(each)
        port = self.tlsServer(os.path.abspath(folder))
        ca = f"{os.path.abspath(folder)}/ca.pem"
        await self.check(f"rediss://{HOST}:{port}/0?ca={ca}")
        for url in (
            f"rediss://{HOST}:{port}/0?ca={os.path.abspath(strange)}/ca.pem",
            f"rediss://{HOST}:{port}/0",
            f"rediss://localhost:{port}/0?ca={ca}",
        ):
            why = await self.failing(self.openStore(url).get("s1"), StoreUnavailable)
            self.assertRegex(why, "(?i)certificate|verif")
        await self.failing(self.openStore(f"redis://{HOST}:{port}").get("s1"), StoreUnavailable)

    def tlsServer(self, folder: str) -> int:
        """
        @return: the port on which a server speaks TLS.
        """
        port = freePort()
        options = ["--tls-port", str(port), "--tls-auth-clients", "no"]
        options += ["--tls-cert-file", f"{folder}/server.pem"]
        options += ["--tls-key-file", f"{folder}/server.key"]
        options += ["--tls-ca-cert-file", f"{folder}/ca.pem"]
        startServer(self, "redis", *options)
        return port
