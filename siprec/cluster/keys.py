"""
What a node proves itself with to the others.
"""

from __future__ import annotations

import secrets

from siprec.config import ConfigError

__all__ = ["newKey", "readSecrets"]

# Octets of a key, and the fewest of a secret.
_KEY, _SECRET = 32, 16


def newKey() -> bytes:
    """
    @return: what this life of the process proves itself with.
    """
    return secrets.token_bytes(_KEY)


def readSecrets(path: str) -> tuple[bytes, ...]:
    """
    @param path: empty: there is none.
    @return: the cluster's secrets, one in each line of the file.
    @raise ConfigError: it cannot be read, or one is too short.
    """
    if not path:
        return ()
    try:
        with open(path, "rb") as file:
            lines = [line.strip() for line in file.read().splitlines()]
    except OSError as error:
        expected = f"a readable file ({error.strerror})"
        raise ConfigError("cluster.secret_file", path, expected) from error
    found = tuple(line for line in lines if line)
    if not found or min(map(len, found)) < _SECRET:
        expected = f"at least {_SECRET} octets in each line of it"
        raise ConfigError("cluster.secret_file", path, expected)
    return found
