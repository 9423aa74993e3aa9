"""
Tests of L{siprec.render.pyav}.
"""

import ctypes
import subprocess
import sys
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from siprec.render import pyav as module
from siprec.render.pyav import DECODERS, available, decodable, libav

ALL = ("g722", "g729", "gsm", "opus", "ilbc", "amr", "amr-wb", "l16")


class DecodableTests(SynchronousTestCase):
    """
    Which codecs are decoded.
    """

    def setUp(self) -> None:
        for cached in (libav, available):
            cached.cache_clear()
            self.addCleanup(cached.cache_clear)

    def libraries(self, load: Any) -> None:
        """
        Have libraries loaded in another way.
        """
        self.patch(ctypes, "CDLL", load)

    def without(self) -> None:
        """
        Have PyAV not found when it is to be loaded.
        """

        def missing(name: str) -> object:
            raise ImportError(name)

        self.patch(module, "import_module", missing)

    def test_all(self) -> None:
        """
        With PyAV from PyPI all are, which its library says and PyAV need not be loaded for.
        """
        self.without()
        self.assertEqual(decodable(), ALL)

    def test_notLoaded(self) -> None:
        """
        PyAV is not loaded for it.
        """
        script = (
            "import sys; from siprec.render.pyav import decodable; "
            "sys.exit(not decodable() or 'av' in sys.modules)"
        )
        self.assertEqual(subprocess.run([sys.executable, "-c", script], check=False).returncode, 0)

    def test_agrees(self) -> None:
        """
        What the library says is what PyAV has.
        """
        asked = available()
        assert asked is not None
        self.assertEqual(asked, frozenset(DECODERS.values()) & libav().codec.codecs_available)

    def test_other(self) -> None:
        """
        Where the library cannot be asked, because it is not loaded by itself or has the
        function hidden, PyAV is.
        """
        for failure in (_cannotLoad, lambda path: object()):
            available.cache_clear()
            self.libraries(failure)
            self.assertEqual(decodable(), ALL)

    def test_broken(self) -> None:
        """
        One that cannot be loaded at all is none.
        """
        self.libraries(_cannotLoad)
        self.without()
        self.assertEqual((available(), libav(), decodable()), (None, None, ()))

    def test_without(self) -> None:
        """
        Without PyAV none is, and that is no error.
        """
        self.patch(module, "find_spec", lambda name: None)
        self.without()
        self.assertEqual(decodable(), ())

    def test_fewer(self) -> None:
        """
        A build may have less; linear samples of any rate are taken with PyAV all the same.
        """

        class Library:
            @staticmethod
            def avcodec_find_decoder_by_name(name: bytes) -> int | None:
                return 1 if name == b"libopus" else None

        self.libraries(lambda path: Library)
        self.assertEqual(decodable(), ("opus", "l16"))


def _cannotLoad(path: str) -> object:
    raise OSError(path)
