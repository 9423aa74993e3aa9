"""
Tests of L{siprec.manhole}.  What is behind it is tested in L{tests.shell}, and the
whole with a real client in L{tests.functional.test_manhole}.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.ssh.keys import Key
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.assembly import makeNode
from siprec.config import loadSettings
from siprec.manhole import ManholeService
from siprec.shell.interfaces import IShellNode
from tests.shell.kit import ShellNode
from tests.uas.house import House

_IMPORT = """
import sys
import siprec.node, siprec.manhole
sys.exit("twisted.internet.reactor" in sys.modules or "twisted.conch.manhole" in sys.modules)
"""


class _TakenReactor(MemoryReactorClock):
    """
    All of its ports are in use.
    """

    def listenTCP(self, port: int, factory: Factory, backlog: int = 50, interface: str = "") -> Any:
        raise CannotListenError(interface, port, OSError(98, "Address already in use"))


class ManholeServiceTests(SynchronousTestCase):
    """
    The shell is started and stopped with the node.
    """

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        self.house = House(os.path.join(self.folder, "recordings"))
        self.addCleanup(self.house.close)
        self.authorized = os.path.join(self.folder, "authorized_keys")
        self.hostKey = os.path.join(self.folder, "host_key")
        public = Key(Ed25519PrivateKey.generate()).public()
        with open(os.open(self.authorized, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(public.toString("OPENSSH"))
        self.reactor = MemoryReactorClock()

    def make(
        self, listen: str = "tcp:2222:interface=127.0.0.1", reactor: Any = None
    ) -> ManholeService:
        """
        @return: a service that is not started.
        """
        return ManholeService(
            *(reactor or self.reactor, listen, self.authorized, self.hostKey),
            ShellNode(self.house),
        )

    def test_off(self) -> None:
        """
        Without an address nothing is opened and no file is read or made.
        """
        os.unlink(self.authorized)
        service = self.make("")
        service.startService()
        self.assertEqual((self.reactor.tcpServers, service.address), ([], None))
        self.assertFalse(os.path.exists(self.hostKey))
        self.successResultOf(service.stopService())

    def test_on(self) -> None:
        """
        It listens where it is told to, with a host key of its own, and says
        where in the log; a stop leaves nothing on the clock.
        """
        service = self.make()
        with capturedLogs() as events:
            service.startService()
        [(port, _, _, interface)] = self.reactor.tcpServers
        self.assertEqual((port, interface), (2222, "127.0.0.1"))
        self.assertEqual(os.stat(self.hostKey).st_mode & 0o777, 0o600)
        self.assertEqual(events[-1]["address"], service.address)
        self.successResultOf(service.stopService())
        self.assertIsNone(service.address)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.successResultOf(service.stopService())

    def test_badFiles(self) -> None:
        """
        A file of keys that cannot be used is an error that begins with its
        setting; nothing is opened then.
        """
        os.chmod(self.authorized, 0o666)
        error = self.assertRaises(OSError, self.make().startService)
        self.assertEqual(
            str(error),
            f"manhole.authorized_keys {self.authorized}: its mode is 0666, others may add keys:"
            " chmod go-w",
        )
        os.chmod(self.authorized, 0o600)
        Path(self.hostKey).write_text("nonsense")
        os.chmod(self.hostKey, 0o600)
        error = self.assertRaises(OSError, self.make().startService)
        self.assertIn(f"manhole.host_key {self.hostKey}: not a private key", str(error))
        self.assertEqual(self.reactor.tcpServers, [])

    def test_portInUse(self) -> None:
        """
        So is an address that cannot be had.
        """
        service = self.make(reactor=_TakenReactor())
        error = self.assertRaises(OSError, service.startService)
        self.assertIn("manhole.listen tcp:2222:interface=127.0.0.1: ", str(error))
        self.assertIn("Address already in use", str(error))
        self.successResultOf(service.stopService())

    def test_node(self) -> None:
        """
        What a node is made with is what the shell is given.
        """
        overrides = {
            "manhole.listen": "tcp:2222:interface=127.0.0.1",
            "manhole.authorized_keys": self.authorized,
            "manhole.host_key": self.hostKey,
            "recordings.directory": self.folder,
        }
        node = makeNode(self.reactor, loadSettings(None, overrides))
        verifyObject(IShellNode, node)
        node.manhole.startService()
        self.assertEqual([each[0] for each in self.reactor.tcpServers], [2222])
        self.successResultOf(node.manhole.stopService())

    def test_nothingImported(self) -> None:
        """
        Who has no shell does not get the global reactor installed, which
        conch's modules do.
        """
        done = subprocess.run([sys.executable, "-c", _IMPORT], check=False)
        self.assertEqual(done.returncode, 0)
