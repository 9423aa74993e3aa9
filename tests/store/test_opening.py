"""
Tests of L{siprec.store.opening}.
"""

from __future__ import annotations

import subprocess
import sys

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.ids import nodeID
from siprec.store.backup import BackupSessionStore
from siprec.store.interfaces import ISessionStore
from siprec.store.memory import MemorySessionStore
from siprec.store.opening import openStore

N1 = nodeID("n1")


class OpenTests(SynchronousTestCase):
    """
    From an address to a store.
    """

    def test_memory(self) -> None:
        """
        C{memory:} is this process.
        """
        store = openStore(Clock(), N1, "memory:")
        self.assertIsInstance(store, MemorySessionStore)
        self.assertTrue(verifyObject(ISessionStore, store))

    def test_redis(self) -> None:
        """
        A Redis address is not connected to before it is asked; its timeout is
        what was configured.
        """
        store = openStore(Clock(), N1, "redis://192.0.2.1:6379/0", timeout=1.5)
        self.assertEqual((store.nodeID, store.timeout), (N1, 1.5))

    def test_backup(self) -> None:
        """
        A second address makes the two one store.
        """
        store = openStore(Clock(), N1, "redis://192.0.2.1:6379/0", "memory:", timeout=1.5)
        self.assertIsInstance(store, BackupSessionStore)
        self.successResultOf(store.close())

    def test_passwordFile(self) -> None:
        """
        A password file is looked at once at the start, so that a wrong one is
        found then.
        """
        path = self.mktemp()
        self.assertRaises(OSError, openStore, Clock(), N1, "redis://192.0.2.1", passwordFile=path)
        with open(path, "w") as file:
            file.write("a\nb\nc\n")
        self.assertRaises(
            ValueError, openStore, Clock(), N1, "redis://192.0.2.1", passwordFile=path
        )

    def test_noReactor(self) -> None:
        """
        With the store in memory nothing imports the global reactor, which the
        Redis client does.
        """
        script = (
            "import sys; from siprec.store.opening import openStore; "
            "from twisted.internet.task import Clock; openStore(Clock(), 'n1', 'memory:'); "
            "sys.exit('twisted.internet.reactor' in sys.modules)"
        )
        self.assertEqual(subprocess.run([sys.executable, "-c", script], check=False).returncode, 0)
