"""
What a node proves itself with to the others.
"""

from __future__ import annotations

import os
import secrets

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
    @return: the cluster's secret; C{None} if there is none.
    @raise OSError: it cannot be read.
    @raise ValueError: it is too short to be one.
    """
    if not path:
        return None
    with open(os.path.expanduser(path), "rb") as file:
        secret = file.read().strip()
    if len(secret) < _SECRET:
        raise ValueError(f"cluster.secret_file = {path!r}: expected at least {_SECRET} octets")
    return secret
