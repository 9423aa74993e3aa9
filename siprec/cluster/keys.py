"""
What a node proves itself with to the others.
"""

from __future__ import annotations

import secrets

from siprec.config import ConfigError

__all__ = ["newKey", "readSecret"]

# Octets of a key, and the fewest of a secret.
_KEY, _SECRET = 32, 16


def newKey() -> bytes:
    """
    @return: what this life of the process proves itself with.
    """
    return secrets.token_bytes(_KEY)


def readSecret(path: str) -> bytes | None:
    """
    @param path: empty: there is none.
    @return: the cluster's secret.
    @raise ConfigError: it cannot be read, or is too short to be one.
    """
    if not path:
        return None
    try:
        with open(path, "rb") as file:
            secret = file.read().strip()
    except OSError as error:
        expected = f"a readable file ({error.strerror})"
        raise ConfigError("cluster.secret_file", path, expected) from error
    if len(secret) < _SECRET:
        raise ConfigError("cluster.secret_file", path, f"at least {_SECRET} octets in it")
    return secret
