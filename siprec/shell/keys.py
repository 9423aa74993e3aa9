"""
The keys of the SSH shell: the host's own, and those that may log in.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress

from attrs import field, frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.checkers import IAuthorizedKeysDB
from twisted.conch.ssh.keys import Key
from twisted.logger import Logger
from zope.interface import implementer

__all__ = ["AuthorizedKeys", "BadKeyFile", "hostKey"]

log = Logger()

#: What the first word of a key is or begins with (RFC 4253 section 6.6 and the
#: later ones that OpenSSH writes).  Anything else there is an option.
_KINDS = ("ssh-", "ecdsa-", "sk-")


class BadKeyFile(OSError):
    """
    A file of keys that cannot be used as it is.
    """


def _refuse(path: str, why: str) -> BadKeyFile:
    return BadKeyFile(f"{path}: {why}")


def hostKey(path: str) -> Key:
    """
    Read the host's private key, or, where there is no such file, make one
    (ed25519, readable by nobody else).

    @raise BadKeyFile: it is no private key, others can read it, or there is
        neither one nor a place to make one.
    """
    try:
        with suppress(FileNotFoundError):
            return _readHostKey(path)
        _makeHostKey(path)
        return _readHostKey(path)
    except BadKeyFile:
        raise
    except OSError as error:
        raise _refuse(path, str(error.strerror)) from error


def _readHostKey(path: str) -> Key:
    with open(path, "rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        data = file.read()
    if mode & 0o077:
        raise _refuse(path, f"its mode is {mode:04o}, others can read the key: chmod 600")
    try:
        key: Key = Key.fromString(data)
    except Exception as error:  # one of many, by what is wrong with it
        raise _refuse(path, f"not a private key without a passphrase ({error})") from error
    if key.isPublic():
        raise _refuse(path, "this is a public key, not a private one")
    return key


def _makeHostKey(path: str) -> None:
    key = Key(Ed25519PrivateKey.generate())
    # Whole or not at all: half of a key would end each start after this one.
    descriptor, temporary = tempfile.mkstemp(prefix=".manhole-", dir=os.path.dirname(path) or ".")
    try:
        with open(descriptor, "wb") as file:  # mkstemp's mode is 0600
            file.write(key.toString("OPENSSH", subtype="v1"))
            file.flush()
            os.fsync(file.fileno())
        # Unlike a rename this leaves alone what another node made meanwhile.
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        os.unlink(temporary)
    log.info("SSH host key made: {path}", path=path)


@implementer(IAuthorizedKeysDB)
@frozen
class AuthorizedKeys:
    """
    A file of public keys, one a line, as C{ssh-keygen} writes them.  Each of
    them may log in under any name.  It is read at each log-in, so that a key
    that is taken out of it is out at once.
    """

    _path: str = field()

    def getAuthorizedKeys(self, username: bytes) -> list[Key]:
        """
        See L{IAuthorizedKeysDB}.

        @return: nothing where the file is not as it should be: then nobody may
            log in.
        """
        try:
            return self.read()
        except BadKeyFile as error:
            log.error("no SSH log-in: {why}", why=str(error))
            return []

    def read(self) -> list[Key]:
        """
        @return: at least one key.
        @raise BadKeyFile: it cannot be read, others may write to it, or a line
            is not a key.
        """
        try:
            with open(self._path, "rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                lines = file.read().decode("utf-8", "replace").splitlines()
        except OSError as error:
            raise _refuse(self._path, str(error.strerror)) from error
        if mode & 0o022:
            raise _refuse(self._path, f"its mode is {mode:04o}, others may add keys: chmod go-w")
        keys = list(self._parse(lines))
        if not keys:
            raise _refuse(self._path, "there is no key in it, nobody could log in")
        return keys

    def _parse(self, lines: list[str]) -> Iterator[Key]:
        for number, line in enumerate(lines, 1):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            if not text.startswith(_KINDS):
                # To ignore an option such as from="192.0.2.1" would let in
                # whom it keeps out.
                raise _refuse(self._path, f"line {number} does not begin with the kind of a key")
            try:
                yield Key.fromString(text.encode(), type="public_openssh")
            except Exception as error:  # one of many, by what is wrong with it
                raise _refuse(self._path, f"line {number} is not a public key") from error
