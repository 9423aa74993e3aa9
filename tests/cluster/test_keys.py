"""
Tests of L{siprec.cluster.keys}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.keys import newKey, readSecret
from siprec.config import ConfigError


class KeyTests(SynchronousTestCase):
    """
    Keys and secrets.
    """

    def write(self, data: bytes) -> str:
        """
        @return: the path of a file with this in it.
        """
        path: str = os.path.abspath(self.mktemp())
        with open(path, "wb") as file:
            file.write(data)
        return path

    def test_newKey(self) -> None:
        """
        Each life of a process has a key of 32 octets of its own.
        """
        self.assertEqual({len(newKey()) for _ in range(5)}, {32})
        self.assertNotEqual(newKey(), newKey())

    def test_noSecret(self) -> None:
        """
        Without a file there is no secret.
        """
        self.assertIsNone(readSecret(""))

    def test_secret(self) -> None:
        """
        The file's last line break is no part of it.
        """
        self.assertEqual(readSecret(self.write(b"0123456789abcdef\n")), b"0123456789abcdef")

    def test_short(self) -> None:
        """
        One of less than 16 octets is refused, by the name of the key.
        """
        path = self.write(b"0123456789abcde\n")
        error = self.assertRaises(ConfigError, readSecret, path)
        self.assertIn("cluster.secret_file", str(error))
        self.assertIn("at least 16 octets", str(error))

    def test_missing(self) -> None:
        """
        A file that is not there is an error, by the name of the key.
        """
        error = self.assertRaises(ConfigError, readSecret, self.mktemp())
        self.assertIn("cluster.secret_file", str(error))
        self.assertIn("a readable file", str(error))
