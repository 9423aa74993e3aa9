"""
The whole of L{siprec.demo}: a node, a client and a call between them.
"""

import os
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.trial.unittest import TestCase

from siprec import demo
from siprec.config import Settings, loadSettings
from siprec.demo import Demo, DemoFailed, Options, main
from siprec.session.running import RunningRecordings


class DemoTests(TestCase):
    """
    One synthetic call.
    """

    def setUp(self) -> None:
        self.said: list[str] = []
        self.root = os.path.abspath(self.mktemp())

    def settings(self) -> Settings:
        options = Options()
        options.parseOptions(["--recordings", self.root])
        settings: Settings = options["settings"]
        return settings

    def demo(self, settings: Settings) -> Deferred[None]:
        demonstration = Demo(reactor, settings, 1.0, self.said.append, "ascii")
        return Deferred.fromCoroutine(demonstration.run())

    def test_good(self) -> Deferred[None]:
        """
        Every packet is recorded, and both voices are drawn.
        """

        def check(ignored: object) -> None:
            text = "\n".join(self.said)
            self.assertIn("is complete.", text)
            self.assertIn("2, with 100 packets, 0 lost", text)
            self.assertIn("Ann |", text)
            self.assertIn("Bob |", text)

        return self.demo(self.settings()).addCallback(check)

    def test_secondNode(self) -> Deferred[None]:
        """
        If another demonstration writes to the same folder, it says so.
        """
        settings = self.settings()
        running = RunningRecordings(self.root, settings.node.id)
        running.acquire()
        self.addCleanup(running.release)
        failing: Deferred[Any] = self.assertFailure(self.demo(settings), DemoFailed)
        return failing.addCallback(lambda error: self.assertIn("already running", str(error)))

    def test_refused(self) -> Deferred[None]:
        """
        A node that does not take the call (here: it wants more free space than
        there is) ends the demonstration with its answer.
        """
        listen = ["udp:0:interface=127.0.0.1"]
        settings = loadSettings(
            None,
            {
                "node.id": "demo",
                "sip.listen": listen,
                "recordings.directory": self.root,
                "recordings.min_free": 1 << 62,
                "http.listen": "",
            },
        )
        failing: Deferred[Any] = self.assertFailure(self.demo(settings), DemoFailed)
        return failing.addCallback(lambda error: self.assertIn("answered 503", str(error)))

    def test_errorsLogged(self) -> Deferred[None]:
        """
        A good recording does not hide that something else went wrong.
        """
        self.patch(demo, "verify", lambda manifest, sent: Logger().critical("broken"))
        failing: Deferred[Any] = self.assertFailure(self.demo(self.settings()), DemoFailed)
        return failing.addCallback(lambda error: self.assertIn("1 errors", str(error)))

    def test_neverFinished(self) -> Deferred[None]:
        """
        A recording that is not finished in time is a failure.
        """
        self.patch(demo, "_PATIENCE", 0.0)
        failing: Deferred[Any] = self.assertFailure(self.demo(self.settings()), DemoFailed)
        return failing.addCallback(lambda error: self.assertIn("not finished", str(error)))

    def test_status(self) -> Deferred[None]:
        """
        A failure is exit status 1.
        """
        running = RunningRecordings(self.root, self.settings().node.id)
        running.acquire()
        self.addCleanup(running.release)
        ended = Deferred.fromCoroutine(main(reactor, "--recordings", self.root))
        failing: Deferred[Any] = self.assertFailure(ended, SystemExit)
        return failing.addCallback(lambda error: self.assertEqual(error.code, 1))
