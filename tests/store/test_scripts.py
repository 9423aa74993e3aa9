"""
Tests of L{siprec.store.scripts}.
"""

from __future__ import annotations

import re
from hashlib import sha1
from importlib.resources import files

from twisted.trial.unittest import SynchronousTestCase

from siprec.store.scripts import NAMES, loadScripts


class ScriptsTests(SynchronousTestCase):
    """
    The scripts are all there, and keep to their rules.
    """

    def test_allAreListed(self) -> None:
        """
        Every script in the folder is loaded, and called by its SHA-1.
        """
        folder = files("siprec.store") / "scripts"
        found = {each.name for each in folder.iterdir() if each.name.endswith(".lua")}
        self.assertEqual(found, {f"{name}.lua" for name in NAMES} | {"common.lua"})
        for name, script in loadScripts().items():
            self.assertEqual(script.name, name)
            self.assertEqual(script.digest, sha1(script.source).hexdigest().encode())

    def test_noWalks(self) -> None:
        """
        No script walks the key space, or writes more than it names.
        """
        for script in loadScripts().values():
            called = set(re.findall(rb"'([A-Z]+)'", script.source))
            self.assertEqual(called & {b"KEYS", b"SCAN", b"FLUSHDB", b"FLUSHALL"}, set())

    def test_secretsAreNotShown(self) -> None:
        """
        A script in a log line is a name, not its text.
        """
        self.assertEqual(repr(loadScripts()["get"]), "Script(name='get')")
