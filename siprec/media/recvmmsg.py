"""
Linux's C{recvmmsg}, as the C library has it.
"""

import ctypes
from collections.abc import Callable

__all__ = ["RECVMMSG", "Recvmmsg", "findRecvmmsg"]

Recvmmsg = Callable[[int, int, int, int, None], int]


def findRecvmmsg(
    name: str = "recvmmsg", pointer: int = ctypes.sizeof(ctypes.c_void_p)
) -> Recvmmsg | None:
    """
    @return: C{recvmmsg} of the C library, called I{without} giving the interpreter
        lock away (it never blocks here, and a thread that lets go of the lock for
        each of thousands of sockets waits for a busy reactor as often); C{None}
        where there is none, or where pointers are not 64 bits.
    """
    if pointer != 8:
        return None
    function = getattr(ctypes.PyDLL(None, use_errno=True), name, None)
    if function is not None:
        function.argtypes = (
            ctypes.c_int,
            ctypes.c_void_p,
            ctypes.c_uint,
            ctypes.c_int,
            ctypes.c_void_p,
        )
    return function


#: The one of this process.
RECVMMSG = findRecvmmsg()
