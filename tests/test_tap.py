"""
Tests of L{siprec.tap}; C{tests.functional.test_twistd} runs twistd itself.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.logger import capturedLogs
from twisted.scripts.twistd import ServerOptions  # type: ignore[attr-defined]
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.config import SETTINGS, ConfigError, Settings, loadSettings
from siprec.ids import NodeID
from siprec.session.model import NodeLease
from siprec.session.running import NodeInUse
from siprec.sip.transport import ListenFailed
from siprec.store.interfaces import LeaseHeld
from siprec.tap import Options, Program, makeService


def parse(*arguments: str) -> Settings:
    """
    @return: what a command line leads to.
    """
    options = Options()
    options.parseOptions(arguments)
    return options.settings


class OptionsTests(SynchronousTestCase):
    """
    The command line.
    """

    def file(self, text: str) -> str:
        """
        @return: the path of a configuration file.
        """
        path: str = self.mktemp()
        with open(path, "w") as file:
            file.write(text)
        return path

    def refused(self, *arguments: str) -> str:
        """
        @return: what is printed before the end with status 1.
        """
        error = self.assertRaises(SystemExit, parse, *arguments)
        # The interpreter prints a text to standard error and ends with 1.
        assert isinstance(error.code, str)
        self.assertNotIn("\n", error.code)
        return error.code

    def test_defaults(self) -> None:
        """
        No file and no option is a working recorder.
        """
        settings = parse()
        self.assertEqual(settings.sip.listen, ("udp:5060", "tcp:5060"))
        self.assertEqual(settings.media.ports, (10000, 19999))
        self.assertEqual(settings.store.url, "memory:")
        self.assertEqual(settings.recordings.directory, os.path.abspath("recordings"))

    def test_everyOption(self) -> None:
        """
        Every option of the table is there, and says what it means.
        """
        help = str(Options())
        for setting in SETTINGS:
            if setting.option is not None:
                self.assertIn(f"--{setting.option}=", help)

    def test_overridesFile(self) -> None:
        """
        An option overrides its key in the file; the other keys are the file's.
        """
        path = self.file(
            '[node]\nid = "file"\ndrain_timeout = 5\n[media]\nports = "20000-20099"\n'
            '[sip]\nlisten = ["udp:5080", "tcp:5080"]\n[http]\nlisten = "tcp:9090"\n'
        )
        for flag in ("--config", "-c"):
            settings = parse(flag, path)
            self.assertEqual((settings.node.id, settings.media.ports), ("file", (20000, 20099)))
            self.assertEqual(settings.sip.listen, ("udp:5080", "tcp:5080"))
        settings = parse("-c", path, "--node-id", "option", "--sip", "udp:5090", "--http", "")
        self.assertEqual(settings.node.id, "option")
        self.assertEqual(settings.sip.listen, ("udp:5090",))
        self.assertEqual(settings.http.listen, "")
        self.assertEqual(settings.node.drainTimeout, 5)
        self.assertEqual(settings.media.ports, (20000, 20099))

    def test_repeated(self) -> None:
        """
        C{--sip} may be given several times.
        """
        settings = parse("--sip", "udp:1", "--sip=tcp:2:interface=127.0.0.1")
        self.assertEqual(settings.sip.listen, ("udp:1", "tcp:2:interface=127.0.0.1"))

    def test_badValue(self) -> None:
        """
        A bad value ends with its dotted key, itself, and what was expected,
        whether it came from an option or from the file.
        """
        expected = "siprec: media.ports = 'x': expected "
        self.assertTrue(self.refused("--rtp-ports", "x").startswith(expected))
        path = self.file('[media]\nports = "x"\n')
        self.assertTrue(self.refused("--config", path).startswith(expected))
        self.assertIn("node.id = 'a b': expected", self.refused("--node-id", "a b"))
        self.assertIn("sip.listen", self.refused("--sip", "sctp:5060"))

    def test_badFile(self) -> None:
        """
        So does a file that is not there, is no TOML, or has an unknown key.
        """
        self.assertIn("--config = '/nowhere': expected a readable file", self.refused("-c/nowhere"))
        self.assertIn("expected a TOML file", self.refused("-c", self.file("[node")))
        self.assertIn("node.idd", self.refused("-c", self.file('[node]\nidd = "x"\n')))

    def test_noSecret(self) -> None:
        """
        The password of a store is not shown.
        """
        shown = self.refused("--store", "nosql://user:secret@host")
        self.assertIn("store.url", shown)
        self.assertNotIn("secret", shown)

    def test_badUsage(self) -> None:
        """
        An unknown option and a stray argument are refused likewise.
        """
        self.assertIn("--nonsense", self.refused("--nonsense"))
        self.refused("stray")

    def test_service(self) -> None:
        """
        What twistd runs is a service; making it opens nothing.
        """
        root = self.mktemp()
        options = Options()
        options.parseOptions(["--recordings", root, "--node-id", "node-a"])
        service = makeService(options)
        verifyObject(IService, service)
        assert isinstance(service, Program)
        self.assertEqual(service.node.settings, options.settings)
        self.assertFalse(os.path.exists(root))
        self.assertFalse(service.daemon)

    def test_daemon(self) -> None:
        """
        The service knows whether twistd goes into the background.
        """
        for flags, expected in (((), True), (("-n",), False)):
            twistd = ServerOptions()
            twistd.parseOptions([*flags, "siprec", "--node-id", "node-a"])
            service: Any = makeService(twistd.subOptions)
            self.assertEqual(service.daemon, expected)


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
