"""
Tests of L{tests.programs}.
"""

import importlib.util
import platform
import re
import shutil
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests import programs


class RequireTests(SynchronousTestCase):
    """
    A test says which programs it needs, and is skipped without them.
    """

    def install(self, *installed: str) -> None:
        """
        Let only these programs be found.
        """
        self.patch(shutil, "which", lambda name: name if name in installed else None)

    def test_requireInstalled(self) -> None:
        """
        With all programs there, the test goes on.
        """
        self.install("sipp", "sox")
        programs.require("sipp", "sox")

    def test_requireMissing(self) -> None:
        """
        The first missing program is named, with its package, in the skip.
        """
        self.install("sipp")
        error = self.assertRaises(SkipTest, programs.require, "sipp", "sox")
        self.assertEqual(str(error), "needs sox (Debian package sox)")

    def test_unknownProgram(self) -> None:
        """
        A program without a row in the table is a mistake in the test, even
        where it is installed: CI would not install it.
        """
        self.install("frobnicate")
        self.assertRaises(KeyError, programs.require, "frobnicate")

    def test_requireModule(self) -> None:
        """
        Modules are told of in the same way, and missed where there is a wheel.
        """
        self.patch(importlib.util, "find_spec", lambda name: None)
        self.patch(sys, "platform", "linux")
        self.patch(platform, "machine", lambda: "x86_64")
        error = self.assertRaises(SkipTest, programs.requireModule, "sipral")
        self.assertEqual(str(error), "needs sipral (Python package sipral)")
        self.assertTrue(programs.isMissingProgram(str(error)))
        other = self.assertRaises(SkipTest, programs.requireModule, "pjsua2")
        self.patch(sys, "version_info", (3, 12))
        self.assertTrue(programs.isMissingProgram(str(other)))
        self.patch(sys, "version_info", (3, 13))
        self.assertFalse(programs.isMissingProgram(str(other)))
        self.patch(sys, "version_info", (3, 12))
        self.patch(platform, "machine", lambda: "aarch64")
        self.assertTrue(programs.isMissingProgram(str(error)))
        self.assertFalse(programs.isMissingProgram(str(other)))
        self.patch(sys, "platform", "darwin")
        self.assertFalse(programs.isMissingProgram(str(error)))
        self.patch(importlib.util, "find_spec", lambda name: name)
        programs.requireModule("sipral")

    def test_requiresInstalled(self) -> None:
        """
        The decorator leaves the test as it is where all programs are there.
        """
        self.install("sipp")

        @programs.requires("sipp")
        class Example(SynchronousTestCase):
            """
            A test.
            """

        self.assertFalse(hasattr(Example, "skip"))

    def test_requiresMissing(self) -> None:
        """
        The decorator marks the test as skipped, in the way that trial knows.
        """
        self.install()

        @programs.requires("sipp")
        def test_example() -> None:
            """
            A test.
            """

        self.assertEqual(vars(test_example)["skip"], "needs sipp (Debian package sip-tester)")

    def test_isMissingProgram(self) -> None:
        """
        Only the skips of this module are told as missing programs, and those
        of tests that could not make network namespaces.
        """
        self.assertTrue(programs.isMissingProgram(f"{programs.NAMESPACES}: not permitted"))
        self.assertTrue(programs.isMissingProgram("needs tshark (Debian package tshark)"))
        self.assertFalse(programs.isMissingProgram("needs patience"))

    def test_ciInstallsThem(self) -> None:
        """
        C{.ci/run} installs every program that a test may need.
        """
        script = Path(__file__).parent.parent / ".ci" / "run"
        pairs = re.findall(r"^    ([a-z-]+):([a-z0-9-]+)$", script.read_text("utf-8"), re.MULTILINE)
        self.assertEqual(dict(pairs), programs.PACKAGES)
