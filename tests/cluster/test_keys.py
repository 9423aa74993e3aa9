"""
Tests of L{siprec.cluster.keys}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.keys import newKey, readSecrets
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
        self.assertEqual(readSecrets(""), ())

    def test_secret(self) -> None:
        """
        Each line of the file is one secret, without what ends it.
        """
        one, two = b"0123456789abcdef", b"f" * 40
        self.assertEqual(readSecrets(self.write(one + b"\n")), (one,))
        self.assertEqual(readSecrets(self.write(two + b"\r\n\n " + one)), (two, one))

    def test_short(self) -> None:
        """
        One of less than 16 octets is refused, by the name of the key, and so is a
        file without any.
        """
        for data in (b"0123456789abcde\n", b"0123456789abcdef\nshort\n", b"", b"\n"):
            error = self.assertRaises(ConfigError, readSecrets, self.write(data))
            self.assertIn("cluster.secret_file", str(error))
            self.assertIn("at least 16 octets", str(error))

    def test_missing(self) -> None:
        """
        A file that is not there is an error, by the name of the key.
        """
        error = self.assertRaises(ConfigError, readSecrets, self.mktemp())
        self.assertIn("cluster.secret_file", str(error))
        self.assertIn("a readable file", str(error))
