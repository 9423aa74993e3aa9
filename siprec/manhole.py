"""
The SSH shell of a node, as a service.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec import __version__
from siprec.shell.interfaces import IShellNode

__all__ = ["ManholeService"]

log = Logger()

#: Seconds that open sessions have, when the service stops, to take what was sent.
_PATIENCE = 1.0


@define(eq=False, repr=False, slots=False)
class ManholeService(Service):
    """
    Listens for SSH, for those whose keys are in a file.

    @ivar _listen: an endpoint string; empty: the shell is off.
    @ivar _authorizedKeys: path of the public keys that may log in.
    @ivar _hostKey: path of our own private key; it is made if it is not there.
    @ivar _node: what is looked at.
    """

    _reactor: Any
    _listen: str
    _authorizedKeys: str
    _hostKey: str
    _node: IShellNode
    _now: Callable[[], float] = time.time
    _port: IListeningPort | None = field(default=None, init=False)
    _factory: Any = field(default=None, init=False)

    def startService(self) -> None:
        """
        Listen, unless the shell is off.

        @raise OSError: a file of keys cannot be used, or the address cannot be
            had; it begins with the key of the setting.
        """
        if self._listen:
            self._open()
        super().startService()

    def _open(self) -> None:
        # Conch takes a while to import, and the global reactor with it: who
        # wants no shell pays for neither.
        from siprec.shell.commands import namespace
        from siprec.shell.keys import AuthorizedKeys, BadKeyFile, hostKey
        from siprec.shell.server import ShellFactory
        from siprec.shell.terminal import Opening

        authorized = AuthorizedKeys(self._authorizedKeys)
        try:
            authorized.read()
        except BadKeyFile as error:
            raise OSError(f"manhole.authorized_keys {error}") from error
        try:
            key = hostKey(self._hostKey)
        except BadKeyFile as error:
            raise OSError(f"manhole.host_key {error}") from error
        greeting = (
            f"siprec {__version__}, node {self._node.sessions.node}: help() says what there is"
        )

        def opening(typed: Callable[[str], None], who: str) -> Opening:
            return Opening(lambda: namespace(self._node, self._now, who), greeting, typed)

        self._factory = ShellFactory(self._reactor, key, authorized, opening)
        self._port = self._listening()
        log.info("SSH shell on {address}", address=self.address)

    def _listening(self) -> IListeningPort:
        outcomes: list[IListeningPort | Failure] = []
        endpoint = serverFromString(self._reactor, self._listen)
        # TCP listens at once: the outcome is there before this returns.
        endpoint.listen(self._factory).addBoth(outcomes.append)
        (outcome,) = outcomes
        if isinstance(outcome, Failure):
            why = outcome.getErrorMessage()
            raise OSError(f"manhole.listen {self._listen}: {why}") from outcome.value
        return outcome

    @property
    def address(self) -> tuple[str, int] | None:
        """
        Host and port, or C{None} where nothing listens.
        """
        if self._port is None:
            return None
        address: Any = self._port.getHost()
        return address.host, address.port

    def stopService(self) -> Deferred[None]:
        """
        Listen no more, and close every session.

        @return: fires when that is done.
        """
        super().stopService()
        port, self._port = self._port, None
        if port is None:
            return succeed(None)
        stopping: Deferred[Any] = maybeDeferred(port.stopListening)
        return stopping.addCallback(lambda _: self._factory.close(_PATIENCE))
