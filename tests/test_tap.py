"""
Tests of L{siprec.tap}; C{tests.functional.test_twistd} runs twistd itself.
"""

from __future__ import annotations

import gc
import os
from typing import Any

from twisted.application.service import IService
from twisted.scripts.twistd import ServerOptions  # type: ignore[attr-defined]
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.config import SETTINGS, Settings
from siprec.program import Program
from siprec.tap import Options, makeService


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


class ServiceTests(SynchronousTestCase):
    """
    What twistd runs.
    """

    def setUp(self) -> None:
        self.addCleanup(gc.unfreeze)
        self.patch(os, "environ", dict(os.environ))

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

    def test_file(self) -> None:
        """
        A file that the configuration names and that is not there ends twistd with one line.
        """
        options = Options()
        path = self.mktemp()
        with open(path, "w") as file:
            file.write(f'[store]\nurl = "redis://192.0.2.1"\npassword_file = "{path}-no"\n')
        options.parseOptions(["--config", path])
        error = self.assertRaises(SystemExit, makeService, options)
        self.assertTrue(str(error.code).startswith("siprec: store.password_file = "))

    def test_threads(self) -> None:
        """
        numpy is to start no threads of its own, unless the environment says so.
        """
        for given, expected in ((None, "1"), ("2", "2")):
            os.environ.pop("OPENBLAS_NUM_THREADS", None)
            if given is not None:
                os.environ["OPENBLAS_NUM_THREADS"] = given
            options = Options()
            options.parseOptions([])
            makeService(options)
            self.assertEqual(os.environ["OPENBLAS_NUM_THREADS"], expected)
