"""
Which of many sockets have something to read.
"""

import ctypes
import platform
import select
import socket
from contextlib import suppress

import numpy as np

__all__ = ["Watch"]

# struct epoll_event is packed on x86-64 only.
_AT = 4 if platform.machine() == "x86_64" else 8
_EVENT = np.dtype({"names": ["data"], "formats": ["i4"], "offsets": [_AT], "itemsize": 8 + _AT})


class Watch:
    """
    C{epoll} for sockets that seldom have something: looking at all costs one call,
    which does not give the interpreter lock away.
    """

    def __init__(self, most: int = 256, once: bool = False) -> None:
        """
        @param most: how many are told at once.
        @param once: name a socket again only when more has come to it, whether or not it
            was read.
        """
        self._wanted = select.EPOLLIN | (select.EPOLLET if once else 0)
        self._epoll = select.epoll()
        self._events = np.zeros(most, _EVENT)
        self._wait = ctypes.PyDLL(None).epoll_wait
        self._wait.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_int)

    def add(self, sock: socket.socket) -> None:
        """
        Watch C{sock}.
        """
        self._epoll.register(sock, self._wanted)

    def remove(self, sock: socket.socket) -> None:
        """
        Watch it no more.
        """
        # The kernel itself forgets a socket that is closed.
        with suppress(OSError, ValueError):
            self._epoll.unregister(sock)

    def ready(self) -> list[int]:
        """
        @return: the descriptors of sockets that can be read; where not all are told,
            those left out come first the next time.
        """
        number, most = self._epoll.fileno(), len(self._events)
        count = self._wait(number, self._events.ctypes.data, most, 0)
        numbers: list[int] = self._events["data"][: max(count, 0)].tolist()
        return numbers

    def close(self) -> None:
        """
        Give the descriptor back.
        """
        self._epoll.close()
