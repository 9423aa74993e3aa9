"""
Tests of L{siprec.shell.server}; what takes a real client is in
L{tests.functional.test_manhole}.
"""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.error import ConchError
from twisted.conch.interfaces import IConchUser, ISession
from twisted.conch.ssh.keys import Key
from twisted.cred.credentials import ISSHPrivateKey
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.shell.keys import AuthorizedKeys
from siprec.shell.server import LOGIN_TIME, ShellFactory
from siprec.shell.terminal import Opening


class _Transport(StringTransport):
    """
    Closes only when it is told to a second time, as one does whose peer reads
    nothing.
    """

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True


class ServerTests(SynchronousTestCase):
    """
    The server on a clock.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.factory = ShellFactory(
            self.clock,
            Key(Ed25519PrivateKey.generate()),
            AuthorizedKeys("/nonexistent"),
            lambda typed, who: Opening(dict, "welcome", typed),
        )
        self.factory.doStart()
        self.addCleanup(self.factory.doStop)

    def connect(self) -> tuple[Any, _Transport]:
        """
        @return: a connection and its transport.
        """
        transport = _Transport()
        protocol: Any = self.factory.buildProtocol(None)
        protocol.makeConnection(transport)
        return protocol, transport

    def test_onlyKeys(self) -> None:
        """
        Nothing but a key is asked for: there are no passwords.
        """
        self.assertEqual(list(self.factory.portal.listCredentialsInterfaces()), [ISSHPrivateKey])

    def test_algorithms(self) -> None:
        """
        What would take a file of primes is not offered, and nobody complains
        that there is none.
        """
        with capturedLogs() as events:
            protocol, transport = self.connect()
        self.assertNotIn(b"group-exchange", transport.value())
        self.assertIn(b"curve25519-sha256", transport.value())
        self.assertEqual(protocol.supportedPublicKeys, [b"ssh-ed25519"])
        self.assertFalse([each for each in events if "moduli" in str(each["log_format"])])
        protocol.connectionLost()

    def test_deadline(self) -> None:
        """
        Who does not log in within a minute is put out.
        """
        protocol, transport = self.connect()
        self.clock.advance(LOGIN_TIME - 0.1)
        self.assertFalse(transport.aborted)
        self.clock.advance(0.1)
        self.assertTrue(transport.aborted)
        protocol.connectionLost()
        self.assertEqual(self.factory.connections, set())

    def test_close(self) -> None:
        """
        A stop asks every connection to close, and cuts off who does not within
        the time given.
        """
        (one, _), (two, stuck) = self.connect(), self.connect()
        closing = self.factory.close(2.0)
        one.connectionLost()
        self.clock.advance(1.9)
        self.assertNoResult(closing)
        self.assertFalse(stuck.aborted)
        self.clock.advance(0.1)
        self.assertTrue(stuck.aborted)
        two.connectionLost()
        self.successResultOf(closing)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_closeEmpty(self) -> None:
        """
        With nobody there a stop is done at once.
        """
        self.successResultOf(self.factory.close(2.0))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def visitor(self) -> Any:
        """
        @return: the avatar of somebody who has logged in.
        """
        protocol, _ = self.connect()
        self.addCleanup(protocol.connectionLost)
        made: Any = self.factory.portal.realm.requestAvatar(b"me (k)", None, IConchUser)
        avatar = made[1]
        connection: Any = self.factory.services[b"ssh-connection"]()
        connection.transport = protocol
        avatar.conn = connection
        return avatar

    def test_sessionsOnly(self) -> None:
        """
        There are sessions, but no forwarding of ports and no files.
        """
        avatar = self.visitor()
        self.assertIsNotNone(avatar.lookupChannel(b"session", 0, 0, b""))
        for kind in (b"direct-tcpip", b"x11"):
            self.assertRaises(ConchError, avatar.lookupChannel, kind, 0, 0, b"")
        self.assertFalse(avatar.lookupSubsystem(b"sftp", b""))
        self.assertFalse(avatar.gotGlobalRequest(b"tcpip-forward", b""))

    def test_session(self) -> None:
        """
        Each channel has a session of its own, which bears a change of the
        window and the end of the input before there is a shell.
        """
        avatar = self.visitor()
        session: Any = ISession(avatar)
        verifyObject(ISession, session)
        self.assertIsNot(ISession(avatar), session)
        session.getPty(b"dumb", (0, 0, 0, 0), b"")
        session.windowChanged((50, 100, 0, 0))
        session.eofReceived()
        session.closed()
