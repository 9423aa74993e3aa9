"""
Tests of L{siprec.program}.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from siprec.config import ConfigError, Settings, loadSettings
from siprec.ids import NodeID
from siprec.program import Program, makeProgram
from siprec.session.model import NodeLease
from siprec.session.running import NodeInUse
from siprec.sip.transport import ListenFailed
from siprec.store.interfaces import LeaseHeld


@define(eq=False, slots=False)
class _Node(Service):
    """
    A node that starts or does not.
    """

    failure: BaseException | None = None
    onRefused: Callable[[BaseException], None] = lambda error: None
    stopped: Deferred[None] = field(factory=Deferred)
    reloaded: list[Settings] = field(factory=list)

    def reload(self, settings: Settings) -> None:
        self.reloaded.append(settings)

    def startService(self) -> None:
        if self.failure is not None:
            raise self.failure
        super().startService()

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return self.stopped


@define(eq=False)
class _Reactor:
    """
    Keeps what is to be called.
    """

    started: list[Callable[[], Any]] = field(factory=list)
    fromThread: list[Callable[[], Any]] = field(factory=list)
    triggers: list[tuple[str, str, Callable[..., Any], tuple[Any, ...]]] = field(factory=list)
    stops: int = 0

    def addSystemEventTrigger(
        self, phase: str, event: str, call: Callable[..., Any], *arguments: Any
    ) -> None:
        self.triggers.append((phase, event, call, arguments))

    def callWhenRunning(self, function: Callable[..., Any], *args: Any) -> None:
        self.started.append(lambda: function(*args))

    def callFromThread(self, function: Callable[[], Any]) -> None:
        self.fromThread.append(function)

    def stop(self) -> None:
        self.stops += 1
        if self.stops > 1:
            raise ReactorNotRunning()


class ProgramTests(SynchronousTestCase):
    """
    The node as twistd's service.
    """

    def setUp(self) -> None:
        self.child = _Node()
        self.reactor = _Reactor()
        node: Any = self.child
        self.settled: list[None] = []
        self.program = Program(node, self.reactor, settle=lambda: self.settled.append(None))

    def test_started(self) -> None:
        """
        It runs and stops with its node.
        """
        self.program.startService()
        self.assertTrue(self.child.running)
        for call in self.reactor.started[:1]:
            self.assertEqual(self.settled, [])
            call()
        self.assertEqual(self.settled, [None])
        stopped = self.program.stopService()
        self.assertNoResult(stopped)
        self.child.stopped.callback(None)
        self.successResultOf(stopped)
        self.assertFalse(self.program.running)

    def test_cannotStart(self) -> None:
        """
        What keeps the node from starting is one line and the exit status 1.
        """
        for failure in (
            NodeInUse(NodeID("node-a"), "host x, process 7"),
            ListenFailed("udp:5060", "Address already in use"),
            OSError("recordings.directory /r: Permission denied"),
        ):
            self.child.failure = failure
            error = self.assertRaises(SystemExit, self.program.startService)
            self.assertEqual(error.code, f"siprec: {failure}")
            self.assertFalse(self.program.running)
            self.assertEqual(self.reactor.started, [])

    def test_cannotStartDaemon(self) -> None:
        """
        A daemon's parent process would wait for ever if twistd did not tell it
        of the exception.
        """
        self.program.daemon = True
        self.child.failure = OSError("no")
        self.assertRaises(OSError, self.program.startService)

    def test_bug(self) -> None:
        """
        A bug keeps its traceback.
        """
        self.child.failure = ValueError("bug")
        self.assertRaises(ValueError, self.program.startService)

    def test_refusedLater(self) -> None:
        """
        What the store says after the start, once it has been asked, ends the
        reactor, and after that the process, with status 1.
        """
        statuses: list[int] = []
        node: Any = self.child
        program = Program(node, self.reactor, exit=statuses.append)
        program.startService()
        held = LeaseHeld(NodeLease(NodeID("node-a"), "i1", "there", 7))
        with capturedLogs() as logs:
            self.child.onRefused(held)
        self.assertEqual([each["error"] for each in logs], [str(held)])
        self.assertIn("process 7 on 'there'", str(held))
        self.assertEqual((self.reactor.stops, statuses), (1, []))
        for phase, event, call, arguments in self.reactor.triggers:
            self.assertEqual((phase, event), ("after", "shutdown"))
            call(*arguments)
        self.assertEqual(statuses, [1])

    def test_SIGTERM(self) -> None:
        """
        SIGTERM, once or more often, stops the reactor by way of its own
        thread: an orderly end, with status 0.
        """
        before = signal.getsignal(signal.SIGTERM)
        self.addCleanup(signal.signal, signal.SIGTERM, before)
        self.program.startService()
        self.assertEqual(signal.getsignal(signal.SIGTERM), before)
        _, install, hangUp = self.reactor.started
        self.addCleanup(signal.signal, signal.SIGHUP, signal.getsignal(signal.SIGHUP))
        install()
        hangUp()
        for _ in range(2):
            signal.raise_signal(signal.SIGTERM)
        self.assertEqual(self.reactor.stops, 0)
        with capturedLogs() as logs:
            for call in self.reactor.fromThread:
                call()
        self.assertEqual(self.reactor.stops, 2)
        self.assertEqual(list(logs), [])

    def test_SIGHUP(self) -> None:
        """
        SIGHUP ends nothing: the configuration is read again, and if it is
        wrong, all stays as it was.
        """
        settings = loadSettings(None, {"recordings.min_free": 7})
        outcomes: list[Any] = [settings, ConfigError("sip.profile", "x", "another")]

        def reread() -> Settings:
            outcome = outcomes.pop(0)
            if isinstance(outcome, ConfigError):
                raise outcome
            assert isinstance(outcome, Settings)
            return outcome

        for number in (signal.SIGTERM, signal.SIGHUP):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        node: Any = self.child
        Program(node, self.reactor, reread=reread, settle=lambda: None).startService()
        for install in self.reactor.started:
            install()
        with capturedLogs() as logs:
            for _ in range(2):
                signal.raise_signal(signal.SIGHUP)
                self.reactor.fromThread.pop()()
        self.assertEqual(self.child.reloaded, [settings])
        self.assertIn("sip.profile", logs[-1]["error"])
        self.assertEqual(self.reactor.stops, 0)
        self.program._reload()  # where there is nothing to read


class MakingTests(SynchronousTestCase):
    """
    The program of a configuration.
    """

    def test_made(self) -> None:
        """
        It is the node of the settings, made with what it is to do when its start is over;
        nothing is opened.
        """
        root = self.mktemp()
        settings = loadSettings(None, {"recordings.directory": root, "node.id": "node-a"})
        program = makeProgram(MemoryReactorClock(), settings, True, lambda: settings)
        self.assertEqual((program.node.settings, program.daemon), (settings, True))
        self.assertFalse(os.path.exists(root))

    def test_file(self) -> None:
        """
        A file that is named and not there is told as what is wrong with the configuration.
        """
        settings = loadSettings(
            None, {"store.url": "redis://192.0.2.1", "store.password_file": self.mktemp()}
        )
        error = self.assertRaises(
            ConfigError, makeProgram, MemoryReactorClock(), settings, False, lambda: settings
        )
        self.assertEqual(error.key, "store.password_file")
