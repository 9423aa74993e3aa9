"""
Tests of L{siprec.trace.place}; with real sockets it is tested in
L{tests.functional.test_trace}.
"""

from __future__ import annotations

import os
import stat

from twisted.trial.unittest import SynchronousTestCase

from siprec.config import loadSettings
from siprec.trace.place import SocketPlace, isAnswered, socketPath


class PathTests(SynchronousTestCase):
    """
    Which socket is a node's.
    """

    def test_path(self) -> None:
        """
        It is below the recordings directory, or where it is configured.
        """
        given: dict[str, object] = {"recordings.directory": "/srv/r", "node.id": "a.b"}
        self.assertEqual(socketPath(loadSettings(None, given)), "/srv/r/.running/a.b.trace")
        given["trace.socket"] = "/run/x"
        self.assertEqual(socketPath(loadSettings(None, given)), "/run/x")


class PlaceTests(SynchronousTestCase):
    """
    Paths of sockets.
    """

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.makedirs(self.folder)
        self.asked: list[str] = []

    def answers(self, address: str) -> bool:
        """
        Somebody listens everywhere.
        """
        self.asked.append(address)
        return True

    def test_short(self) -> None:
        """
        A path that a socket can have is its address.
        """
        place = SocketPlace.of("/nowhere/socket")
        self.assertEqual(place.address, "/nowhere/socket")
        place.close()

    def test_long(self) -> None:
        """
        Any other is reached by its folder, as long as that is open.
        """
        path = os.path.join(self.folder, "x" * 120)
        place = SocketPlace.of(path)
        with open(place.address, "w") as file:
            file.write("here")
        self.assertTrue(os.path.exists(path))
        self.assertLess(len(place.address), 107 + 120)
        address = place.address
        place.close()
        place.close()
        self.assertFalse(os.path.exists(address))
        self.assertRaises(FileNotFoundError, SocketPlace.of, f"/nowhere/{'x' * 120}")

    def test_clear(self) -> None:
        """
        Where nothing is nothing is done; a file that is no socket is left alone.
        """
        path = os.path.join(self.folder, "s")
        place = SocketPlace.of(path)
        self.addCleanup(place.close)
        place.clear(self.answers)
        with open(path, "w"):
            pass
        error = self.assertRaises(FileExistsError, place.clear, self.answers)
        self.assertEqual(str(error), "there is a file that is no socket")
        self.assertEqual(self.asked, [])

    def test_clearSocket(self) -> None:
        """
        A socket is removed if nobody answers there, and left alone otherwise.
        """
        path = os.path.join(self.folder, "s")
        os.mknod(path, stat.S_IFSOCK | 0o600)
        place = SocketPlace.of(path)
        self.addCleanup(place.close)
        error = self.assertRaises(FileExistsError, place.clear, self.answers)
        self.assertEqual(str(error), "another process listens there")
        self.assertEqual(self.asked, [place.address])
        place.clear(isAnswered)
        self.assertFalse(os.path.exists(path))
        self.assertRaises(OSError, isAnswered, path)
