"""
Where in the file system a node's socket for its trace is.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from contextlib import suppress

from attrs import define

from siprec.config import Settings

__all__ = ["SocketPlace", "isAnswered", "socketPath"]

#: The end of the names of these sockets.
SUFFIX = ".trace"

# Octets of a path in the address of a socket (unix(7)), but for the one that ends it.
_LONGEST = 107


def socketPath(settings: Settings) -> str:
    """
    @return: of the node that has these settings.
    """
    default = os.path.join(settings.recordings.directory, ".running", f"{settings.node.id}{SUFFIX}")
    return settings.trace.socket or default


@define(eq=False, repr=False)
class SocketPlace:
    """
    A path as it can be given to a socket: that knows no long ones, so that of a
    longer one the folder is opened, and what is in it called by the folder's number.
    """

    path: str
    _folder: int | None = None

    @classmethod
    def of(cls, path: str) -> SocketPlace:
        """
        @raise OSError: there is no such folder.
        """
        if len(os.fsencode(path)) <= _LONGEST:
            return cls(path)
        folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        return cls(path, folder)

    @property
    def address(self) -> str:
        """
        To bind or to connect to, until this is closed.
        """
        if self._folder is None:
            return self.path
        return f"/proc/self/fd/{self._folder}/{os.path.basename(self.path)}"

    def clear(self, answers: Callable[[str], bool]) -> None:
        """
        Remove the socket of a process that is gone.

        @param answers: whether somebody listens at an address.
        @raise OSError: something else is there, or a process that lives.
        """
        with suppress(FileNotFoundError):
            if not stat.S_ISSOCK(os.lstat(self.path).st_mode):
                raise FileExistsError("there is a file that is no socket")
            if answers(self.address):
                raise FileExistsError("another process listens there")
            os.unlink(self.path)

    def close(self) -> None:
        """
        The address is no longer used.
        """
        folder, self._folder = self._folder, None
        if folder is not None:
            os.close(folder)


def isAnswered(address: str) -> bool:
    """
    @return: whether a process listens at a socket's address.
    @raise OSError: that cannot be found out.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        # One that has no room for more connections now would keep us waiting.
        probe.setblocking(False)
        try:
            probe.connect(address)
        except ConnectionRefusedError:
            return False
        except BlockingIOError:
            return True
        return True
