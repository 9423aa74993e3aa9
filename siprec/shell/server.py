"""
The SSH server that the shell is reached by.

Its parts of conch bring the global reactor in when they are imported (a timer of
C{userauth}, a test tool in C{insults}); what is used here is given another clock.
So this module is imported where a shell is wanted, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen
from twisted.conch.avatar import ConchUser
from twisted.conch.checkers import SSHPublicKeyChecker
from twisted.conch.error import IgnoreAuthentication
from twisted.conch.insults.insults import ServerProtocol, modes
from twisted.conch.interfaces import IConchUser, ISession
from twisted.conch.ssh.connection import SSHConnection
from twisted.conch.ssh.factory import SSHFactory
from twisted.conch.ssh.keys import FingerprintFormats, Key
from twisted.conch.ssh.session import SSHSession, wrapProtocol
from twisted.conch.ssh.transport import SSHServerTransport
from twisted.conch.ssh.userauth import SSHUserAuthServer
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger
from twisted.python.components import registerAdapter
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

from siprec.shell.keys import AuthorizedKeys
from siprec.shell.terminal import LineShell, Opening, TerminalShell

__all__ = ["ShellFactory"]

log = Logger()

#: How long a connection may take to log in, in seconds.
LOGIN_TIME = 60.0

#: How often it may try.
LOGIN_ATTEMPTS = 6

#: Given what notes the lines that are typed, gives what a session begins with.
# Is given what to call with each line, and the name of who types it.
_MakeOpening = Callable[[Callable[[str], None], str], Opening]


class _Checker(SSHPublicKeyChecker):
    """
    Tells people apart by their keys: the name that they give means nothing.
    """

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes]:
        def loggedIn(user: bytes) -> bytes:
            key = Key.fromString(credentials.blob)
            text = key.fingerprint(FingerprintFormats.SHA256_BASE64).rstrip("=")
            # The fingerprint is as C{ssh-keygen -l} shows it.
            return b"%s (SHA256:%s)" % (user, text.encode())

        checking: Deferred[bytes] = super().requestAvatarId(credentials)
        return checking.addCallback(loggedIn)


class _Visitor(ConchUser):
    """
    Somebody who has logged in.  There are sessions for them, and nothing else:
    no forwarding, no files.
    """

    def __init__(self, who: str, opening: _MakeOpening) -> None:
        super().__init__()
        self.who = who
        self.opening = opening
        self.channelLookup[b"session"] = SSHSession

    def noteTyped(self, line: str) -> None:
        """
        Log a line.
        """
        peer = self.conn.transport.peer
        log.info("SSH shell: {who} from {peer} typed {line!r}", who=self.who, peer=peer, line=line)


@implementer(IRealm)
@frozen
class _Realm:
    """
    Where those are who have logged in.
    """

    _opening: _MakeOpening

    def requestAvatar(
        self, avatarId: bytes | tuple[()], mind: object, *interfaces: type[Interface]
    ) -> tuple[type[Interface], object, Callable[[], None]]:
        """
        See L{IRealm}.
        """
        assert isinstance(avatarId, bytes), "nobody is anonymous"
        visitor = _Visitor(avatarId.decode("utf-8", "replace"), self._opening)
        return IConchUser, visitor, lambda: None


@implementer(ISession)
class _Session:
    """
    A shell on a terminal, one for programs, or a single command.
    """

    def __init__(self, visitor: _Visitor) -> None:
        self._opening = visitor.opening(visitor.noteTyped, visitor.who)
        self._clock: IReactorTime = visitor.conn.transport.factory.clock
        self._size: tuple[int, int] | None = None
        self._resized: Callable[[int, int], None] = lambda width, height: None
        self._inputEnded: Callable[[], None] = lambda: None

    def getPty(self, term: bytes, windowSize: tuple[int, ...], modes: object) -> None:
        """
        See L{ISession}.
        """
        height, width = windowSize[:2]
        # A terminal that does not know its size says 0.
        self._size = width or 80, height or 24

    def openShell(self, proto: Any) -> None:
        """
        See L{ISession}.
        """
        if self._size is None:
            shell = self._lines(proto)
            proto.makeConnection(wrapProtocol(shell))
            self._inputEnded = shell.inputEnded
            return
        terminal = TerminalShell(self._opening)
        server = _Server(lambda: terminal, lambda: self._done(proto))
        server.makeConnection(proto)
        proto.makeConnection(wrapProtocol(server))
        terminal.terminalSize(*self._size)
        self._resized, self._inputEnded = terminal.terminalSize, terminal.inputEnded

    def execCommand(self, proto: Any, command: bytes) -> None:
        """
        See L{ISession}.
        """
        shell, deaf = self._lines(proto), Protocol()
        deaf.makeConnection(proto)
        proto.makeConnection(wrapProtocol(deaf))

        def run() -> None:
            for line in command.split(b"\n"):
                shell.lineReceived(line)
            shell.inputEnded()

        # The peer must hear first that the command was taken.
        self._clock.callLater(0, run)

    def _lines(self, proto: Any) -> LineShell:
        newline = "\n" if self._size is None else "\r\n"
        shell = LineShell(self._opening, newline, lambda: self._done(proto))
        shell.makeConnection(proto)
        return shell

    def _done(self, proto: Any) -> None:
        proto.processEnded(Failure(ProcessDone(0)))

    def windowChanged(self, newWindowSize: tuple[int, ...]) -> None:
        """
        See L{ISession}.
        """
        height, width = newWindowSize[:2]
        self._resized(width or 80, height or 24)

    def eofReceived(self) -> None:
        """
        See L{ISession}.
        """
        self._inputEnded()

    def closed(self) -> None:
        """
        See L{ISession}.
        """


registerAdapter(_Session, _Visitor, ISession)


class _Server(ServerProtocol):
    """
    A terminal whose end has an exit status, as OpenSSH's client expects it.
    """

    def __init__(self, factory: Callable[[], TerminalShell], done: Callable[[], None]) -> None:
        super().__init__(factory)
        self._done = done

    def loseConnection(self) -> None:
        # The base class would reset the whole terminal, and clear the screen.
        self.resetModes([modes.IRM])
        self.nextLine()
        self._done()


class _Authentication(SSHUserAuthServer):
    """
    Logs who was refused.
    """

    transport: Any
    attemptsBeforeDisconnect = LOGIN_ATTEMPTS
    loginTimeout = LOGIN_TIME  # type: ignore[assignment]

    def serviceStarted(self) -> None:
        self.clock = self.transport.factory.clock
        super().serviceStarted()

    def tryAuth(self, kind: bytes, user: bytes, data: bytes) -> Deferred[Any]:
        def refused(failure: Failure) -> Failure:
            # "none" is how a client asks what there is; the other is no refusal.
            if kind != b"none" and not failure.check(IgnoreAuthentication):
                log.warn(
                    "SSH log-in refused: {user} from {peer} by {kind}: {why}",
                    user=user.decode("utf-8", "replace"),
                    peer=self.transport.peer,
                    kind=kind.decode("utf-8", "replace"),
                    why=failure.getErrorMessage(),
                )
            return failure

        trying: Deferred[Any] = super().tryAuth(kind, user, data)
        return trying.addErrback(refused)


class _Connection(SSHConnection):
    """
    What begins with a log-in.
    """

    transport: Any

    def serviceStarted(self) -> None:
        super().serviceStarted()
        self.transport.loggedIn()
        self._tell("in")

    def serviceStopped(self) -> None:
        super().serviceStopped()
        self._tell("out")

    def _tell(self, way: str) -> None:
        who, peer = self.transport.avatar.who, self.transport.peer
        log.info("SSH shell: {who} from {peer} logged {way}", who=who, peer=peer, way=way)


class _Transport(SSHServerTransport):
    """
    One connection.

    @ivar peer: host and port of who is there.
    """

    factory: ShellFactory
    transport: Any
    peer = ""
    # Groups of the server's own choice take a file of primes that few machines have.
    supportedKeyExchanges = [
        name
        for name in SSHServerTransport.supportedKeyExchanges
        if not name.startswith(b"diffie-hellman-group-exchange")
    ]
    _deadline: IDelayedCall | None = None

    def connectionMade(self) -> None:
        address = self.transport.getPeer()
        self.peer = f"{address.host}:{address.port}"
        self.factory.connections.add(self)
        self._deadline = self.factory.clock.callLater(LOGIN_TIME, self.transport.abortConnection)
        super().connectionMade()

    def loggedIn(self) -> None:
        """
        They may stay.
        """
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()

    def abort(self) -> None:
        """
        Close it whatever is still to be sent.
        """
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure | None = None) -> None:
        self.loggedIn()
        super().connectionLost(reason)
        self.factory.lost(self)


@define(eq=False, repr=False, slots=False)
class ShellFactory(SSHFactory):
    """
    Takes connections.

    @ivar clock: for every wait of conch's.
    @ivar connections: those that are open.
    """

    noisy = False
    protocol = _Transport
    services = {b"ssh-userauth": _Authentication, b"ssh-connection": _Connection}
    primes = None

    clock: IReactorTime
    _hostKey: Key
    _authorized: AuthorizedKeys
    _opening: _MakeOpening
    connections: set[_Transport] = field(factory=set, init=False)
    _empty: list[Deferred[None]] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        kind = self._hostKey.sshType()
        self.publicKeys = {kind: self._hostKey.public()}
        self.privateKeys = {kind: self._hostKey}
        self.portal = Portal(_Realm(self._opening), [_Checker(self._authorized)])

    def buildProtocol(self, addr: IAddress | None) -> SSHServerTransport:
        """
        See L{twisted.internet.interfaces.IProtocolFactory}.
        """
        # SSHFactory's own would log, at each connection, that there are no primes.
        made = Factory.buildProtocol(self, addr)
        assert isinstance(made, SSHServerTransport)
        made.supportedPublicKeys = self._hostKey.supportedSignatureAlgorithms()
        return made

    def close(self, patience: float) -> Deferred[None]:
        """
        Close every connection.

        @param patience: seconds that they have to take what was sent to them.
        @return: fires when none is left.
        """
        done: Deferred[None] = Deferred()
        self._empty.append(done)
        aborting = self.clock.callLater(patience, self._abort)
        for each in list(self.connections):
            each.loseConnection()
        self._checkEmpty()
        return done.addCallback(lambda _: aborting.cancel() if aborting.active() else None)

    def lost(self, connection: _Transport) -> None:
        """
        A connection is closed.
        """
        self.connections.discard(connection)
        self._checkEmpty()

    def _abort(self) -> None:
        for each in list(self.connections):
            each.abort()

    def _checkEmpty(self) -> None:
        if not self.connections:
            empty, self._empty = self._empty, []
            for done in empty:
                done.callback(None)
