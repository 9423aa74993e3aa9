"""
Tests of the layers: which module may know what.
"""

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.layers import allModules, layers, pureModules

_IMPORT_EACH = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    if "twisted.internet" in sys.modules:
        sys.exit(f"{name} loads twisted.internet")
"""

_START_ALONE = """
import sys, tempfile
import siprec.tap
from siprec.assembly import makeNode
from siprec.config import loadSettings
from twisted.internet import reactor
makeNode(reactor, loadSettings(None, {"recordings.directory": tempfile.gettempdir()}))
for name in ("siprec.cluster.cluster", "siprec.store.redis", "twisted.conch"):
    if name in sys.modules:
        sys.exit(f"{name} is loaded")
"""


class LayerTests(SynchronousTestCase):
    """
    The table of layers is whole, and its lowest ones are pure.
    """

    def test_everyModuleHasALayer(self) -> None:
        """
        Every module is in exactly one layer of the table in C{pyproject.toml}:
        the import linter says nothing about one that is in none.
        """
        named = [name for layer in layers() for name in layer]
        for module in allModules():
            places = [n for n in named if module == n or module.startswith(f"{n}.")]
            self.assertEqual(len(places), 1, f"{module} is in {places} of pyproject.toml")

    def test_everyNameIsAModule(self) -> None:
        """
        The table names nothing that is not there.
        """
        modules = allModules()
        for layer in layers():
            for name in layer:
                found = [m for m in modules if m == name or m.startswith(f"{name}.")]
                self.assertTrue(found, f"there is no {name}")

    def test_pureModules(self) -> None:
        """
        What both lowest layers hold is found, and no shell is among it.
        """
        pure = pureModules()
        self.assertIn("siprec.ids", pure)
        self.assertIn("siprec.sip.message", pure)
        self.assertNotIn("siprec.sip.transport", pure)

    def test_pureLayersKnowNoReactor(self) -> None:
        """
        In a fresh interpreter, importing every module of the two lowest layers
        leaves C{twisted.internet} unloaded.
        """
        done = subprocess.run(
            [sys.executable, "-c", _IMPORT_EACH, *pureModules()],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parent.parent,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_aloneLoadsNoCluster(self) -> None:
        """
        A node by itself, without a shell, does not load what only others need.
        """
        done = subprocess.run(
            [sys.executable, "-c", _START_ALONE],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parent.parent,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
