"""
A node as the program that twistd runs.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

from attrs import define
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger

from siprec.assembly import makeNode
from siprec.config import ConfigError, Settings
from siprec.garbage import Collecting, settle
from siprec.node import Node
from siprec.session.running import NodeInUse
from siprec.sip.errors import SipError
from siprec.store.interfaces import StoreError

__all__ = ["Program", "makeProgram"]

log = Logger()


@define(eq=False, repr=False, slots=False)
class Program(Service):
    """
    A node as twistd runs it: with an exit status that says how it went.

    @ivar daemon: whether twistd has gone into the background.
    """

    node: Node
    _reactor: Any
    daemon: bool = False
    _exit: Callable[[int], object] = os._exit
    _reread: Callable[[], Settings] | None = None
    # Called once all of the program is there.
    _settle: Callable[[], object] = settle

    def startService(self) -> None:
        """
        Start the node.

        @raise SystemExit: it cannot start; twistd would show a traceback.
        @raise Exception: the same in a daemon, whose parent process waits
            until twistd has told it of the exception.
        """
        self.node.onRefused = self._refused
        try:
            self.node.startService()
        except (NodeInUse, StoreError, SipError, OSError) as error:
            if self.daemon:
                raise
            raise SystemExit(f"siprec: {error}") from error
        super().startService()
        self._reactor.callWhenRunning(self._settle)
        # After the reactor's own handler, with which twistd would end itself
        # by the same signal once more after an orderly stop.
        self._reactor.callWhenRunning(signal.signal, signal.SIGTERM, self._terminate)
        # Without this a closed terminal, or logrotate, would end every call.
        self._reactor.callWhenRunning(signal.signal, signal.SIGHUP, self._hangUp)

    def stopService(self) -> Deferred[None]:
        """
        See L{Node.stopService}.
        """
        super().stopService()
        return self.node.stopService()

    def _refused(self, error: BaseException) -> None:
        # The reactor runs already, so that its end has to be waited for.
        log.critical("siprec: {error}", error=str(error))
        self._reactor.addSystemEventTrigger("after", "shutdown", self._exit, 1)
        self._stopReactor()

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        self._reactor.callFromThread(self._stopReactor)

    def _hangUp(self, number: int, frame: FrameType | None) -> None:
        self._reactor.callFromThread(self._reload)

    def _reload(self) -> None:
        """
        Take up what can be changed while calls run.
        """
        if self._reread is None:
            return
        try:
            settings = self._reread()
        except ConfigError as error:
            log.error("SIGHUP: nothing changed: {error}", error=str(error))
        else:
            self.node.reload(settings)

    def _stopReactor(self) -> None:
        with suppress(ReactorNotRunning):  # by the second of two signals
            self._reactor.stop()


def makeProgram(
    reactor: Any, settings: Settings, daemon: bool, reread: Callable[[], Settings]
) -> Program:
    """
    @param daemon: whether twistd goes into the background.
    @param reread: gives the settings as they are configured by then.
    @raise ConfigError: a file that the configuration names cannot be used.
    """
    node = makeNode(reactor, settings)
    collecting = Collecting(reactor, lambda: node.sessions.equipment.postponed.turn())
    return Program(node, reactor, daemon, reread=reread, settle=collecting.start)
