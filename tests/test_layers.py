"""
Tests of the layers: which module may know what.
"""

import subprocess
import sys
from importlib.util import find_spec
from itertools import chain
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

# What a node without any configuration does without, and what would need it; in
# docs/performance.rst it is said when it is loaded.  All of it together would nearly double
# the time that a start takes.
UNUSED = {
    "other nodes": ("siprec.clustering", "siprec.cluster.cluster"),
    "a store that others see": ("siprec.store.redis", "txredisapi"),
    "a second store": ("siprec.store.backup",),
    "the shell": ("siprec.shell.server", "twisted.conch"),
    "audio, which other processes make": ("siprec.render.decode", "siprec.render.audio", "av"),
    "the files of audio": ("siprec.render.outputs", "soundfile"),
    "a look-up in DNS": ("twisted.names.client",),
    "commands": ("siprec.cli", "siprec.show", "siprec.export", "siprec.trace.command"),
    "pictures": ("siprec.plot", "matplotlib"),
    "tests": ("siprec.testing",),
}

_START_ALONE = """
import sys, tempfile
from siprec.tap import Options, makeService
options = Options()
options.parseOptions(["--recordings", tempfile.gettempdir()])
for name in ("siprec.assembly", "siprec.sip", "twisted.internet.reactor", "numpy", "lxml"):
    if name in sys.modules:
        sys.exit(f"{name} is loaded before it is known whether the options are right")
makeService(options)
for name in sys.argv[1:]:
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

    def test_aloneLoadsLittle(self) -> None:
        """
        A node by itself, as it is without any configuration, does not load what it does not
        use; and what it uses, not before its configuration is known to be right.
        """
        done = subprocess.run(
            [sys.executable, "-c", _START_ALONE, *chain.from_iterable(UNUSED.values())],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parent.parent,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_unusedExists(self) -> None:
        """
        What is not to be loaded is there to be loaded.
        """
        modules = allModules()
        for name in chain.from_iterable(UNUSED.values()):
            if name.startswith("siprec"):
                self.assertTrue([each for each in modules if f"{each}.".startswith(f"{name}.")])
            else:
                self.assertIsNotNone(find_spec(name), name)
