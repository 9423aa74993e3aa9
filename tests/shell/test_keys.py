"""
Tests of L{siprec.shell.keys}.
"""

import os
import stat

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.checkers import IAuthorizedKeysDB
from twisted.conch.ssh.keys import Key
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.shell.keys import AuthorizedKeys, BadKeyFile, hostKey


def _key() -> Key:
    return Key(Ed25519PrivateKey.generate())


class _KeyFileTestCase(SynchronousTestCase):
    """
    Files of keys.
    """

    def written(self, content: bytes, mode: int = 0o600) -> str:
        """
        @return: the path of such a file.
        """
        path: str = os.path.abspath(self.mktemp())
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, mode)
        return path


class HostKeyTests(_KeyFileTestCase):
    """
    Our own key.
    """

    def test_made(self) -> None:
        """
        It is made once, an ed25519 key that only its owner can read, and is
        the same ever after; nothing else is left in the folder.
        """
        path = os.path.join(os.path.abspath(self.mktemp()), "key")
        os.makedirs(os.path.dirname(path))
        with capturedLogs() as events:
            key = hostKey(path)
            self.assertEqual(hostKey(path), key)
        self.assertEqual(key.sshType(), b"ssh-ed25519")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(os.listdir(os.path.dirname(path)), ["key"])
        self.assertEqual([each["path"] for each in events], [path])

    def test_given(self) -> None:
        """
        A key that is there is taken.
        """
        key = _key()
        path = self.written(key.toString("OPENSSH", subtype="v1"), 0o400)
        self.assertEqual(hostKey(path), key)

    def test_meanwhile(self) -> None:
        """
        A key that somebody else made at the same time is theirs and ours.
        """
        key = _key()
        data = key.toString("OPENSSH", subtype="v1")
        path: str = os.path.abspath(self.mktemp())
        link = os.link

        def race(source: str, target: str) -> None:
            with open(os.open(target, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
                file.write(data)
            link(source, target)

        self.patch(os, "link", race)
        self.assertEqual(hostKey(path), key)

    def test_refused(self) -> None:
        """
        A key that others can read, that has a passphrase, is public or is none
        is an error that begins with the file's name.
        """
        key = _key()
        private = key.toString("OPENSSH", subtype="v1")
        locked = key.toString("OPENSSH", subtype="v1", passphrase=b"secret")
        for content, mode, why in (
            (private, 0o640, "its mode is 0640, others can read the key: chmod 600"),
            (locked, 0o600, "not a private key without a passphrase"),
            (key.public().toString("OPENSSH"), 0o600, "this is a public key"),
            (b"", 0o600, "not a private key"),
            (b"x" * 100, 0o600, "not a private key"),
        ):
            path = self.written(content, mode)
            error = self.assertRaises(BadKeyFile, hostKey, path)
            self.assertTrue(str(error).startswith(f"{path}: {why}"), str(error))

    def test_nowhere(self) -> None:
        """
        Where no key can be made, or the path is a folder, the error says why.
        """
        path = os.path.join(os.path.abspath(self.mktemp()), "key")
        error = self.assertRaises(BadKeyFile, hostKey, path)
        self.assertEqual(str(error), f"{path}: No such file or directory")
        os.makedirs(path)
        self.assertIn("Is a directory", str(self.assertRaises(BadKeyFile, hostKey, path)))


class AuthorizedKeysTests(_KeyFileTestCase):
    """
    The keys that may log in.
    """

    def setUp(self) -> None:
        self.keys = [_key().public(), _key().public()]
        self.lines = [each.toString("OPENSSH", comment="me") for each in self.keys]

    def test_interface(self) -> None:
        """
        It provides what conch's checker asks for.
        """
        verifyObject(IAuthorizedKeysDB, AuthorizedKeys("x"))

    def test_read(self) -> None:
        """
        Each line is a key; comments and empty lines are none.  A name makes no
        difference.
        """
        path = self.written(b"# us\n\n" + b"\n".join(self.lines) + b"\n", 0o644)
        authorized = AuthorizedKeys(path)
        self.assertEqual(authorized.read(), self.keys)
        self.assertEqual(authorized.getAuthorizedKeys(b"anybody"), self.keys)

    def test_readAgain(self) -> None:
        """
        A change of the file counts from the next log-in on.
        """
        path = self.written(self.lines[0])
        authorized = AuthorizedKeys(path)
        with open(path, "wb") as file:
            file.write(self.lines[1])
        self.assertEqual(authorized.getAuthorizedKeys(b"me"), self.keys[1:])

    def test_refused(self) -> None:
        """
        A file that is missing, empty, open to others or not all keys is an
        error; options are not ignored, as they may keep somebody out.
        """
        restricted = b'from="192.0.2.1" ' + self.lines[0]
        for path, why in (
            ("/nonexistent", "No such file or directory"),
            (self.written(b"# none\n"), "there is no key in it"),
            (self.written(self.lines[0], 0o622), "its mode is 0622, others may add keys"),
            (self.written(self.lines[0] + b"\n" + restricted), "line 2 does not begin with"),
            (self.written(b"ssh-ed25519 AAAA"), "line 1 is not a public key"),
            (self.written(b"ssh-ed25519"), "line 1 is not a public key"),
            (self.written(b"\xff\xfe"), "line 1 does not begin"),
        ):
            error = self.assertRaises(BadKeyFile, AuthorizedKeys(path).read)
            self.assertTrue(str(error).startswith(f"{path}: {why}"), str(error))

    def test_spoiled(self) -> None:
        """
        Once the file is not as it should be nobody may log in, and the log
        says why.
        """
        authorized = AuthorizedKeys(self.written(b"nonsense"))
        with capturedLogs() as events:
            self.assertEqual(authorized.getAuthorizedKeys(b"me"), [])
        [event] = events
        self.assertIn("line 1", event["why"])
