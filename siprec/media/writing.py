"""
Writing to many files at once.

A write gives the interpreter lock away, and a thread that does so for each of
thousands of files waits for a busy reactor as often, up to 5 ms each time.  Linux's
C{io_submit} writes to any number of files in one call, and so costs one such wait;
buffered writes are complete when it returns.
"""

import ctypes
import errno
import os
import platform
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["LIMIT", "WRITES", "SeparateWriter", "SubmittedWriter", "Writer", "chooseWriter"]

#: The most vectors that one write may have (UIO_MAXIOV).
LIMIT = 1024
#: Files to write in one call.  The system has a number of such (fs.aio-max-nr, 65,536)
#: for all its processes.
WRITES = 2048

_IOCB = np.dtype(
    {
        "names": ["data", "operation", "file", "buffer", "count", "offset"],
        "formats": ["u8", "u2", "u4", "u8", "u8", "i8"],
        "offsets": [0, 16, 20, 24, 32, 40],
        "itemsize": 64,
    }
)
_EVENT = np.dtype([("data", "u8"), ("iocb", "u8"), ("result", "i8"), ("result2", "i8")])
_PWRITEV = 8  # IOCB_CMD_PWRITEV of linux/aio_abi.h
# io_setup, io_destroy, io_getevents, io_submit
_CALLS = {
    "x86_64": (206, 207, 208, 209),
    "aarch64": (0, 1, 4, 2),
    "riscv64": (0, 1, 4, 2),
}


class Writer(Protocol):
    """
    Writes several runs of vectors, each to a file of its own.
    """

    def write(
        self,
        files: NDArray[np.int64],
        offsets: NDArray[np.int64],
        addresses: NDArray[np.int64],
        counts: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """
        @param files: descriptors.
        @param offsets: where in each file to write.
        @param addresses: of the first C{struct iovec} of each run.
        @param counts: how many there are, at most L{LIMIT}.
        @return: for each the octets written, or an errno negated.
        """

    def close(self) -> None:
        """
        Give back what the kernel holds for it.
        """


def _function(
    name: str, *arguments: type, library: type[ctypes.CDLL] = ctypes.CDLL
) -> Callable[..., int]:
    """
    @param library: C{PyDLL} for a function that is not to give the lock away.
    """
    function = getattr(library(None, use_errno=True), name)
    function.argtypes = arguments
    function.restype = ctypes.c_long
    return function  # type: ignore[no-any-return]


class SeparateWriter:
    """
    One C{pwritev} per file: where the kernel or a sandbox has no C{io_submit}.
    """

    def __init__(self) -> None:
        self._pwritev = _function(
            "pwritev", ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
        )

    def write(
        self,
        files: NDArray[np.int64],
        offsets: NDArray[np.int64],
        addresses: NDArray[np.int64],
        counts: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """
        See L{Writer}.
        """
        results = np.zeros(len(files), np.int64)
        requests = np.stack([files, addresses, counts, offsets], axis=1)
        for row, request in enumerate(requests.tolist()):
            done = self._pwritev(*request)
            results[row] = done if done >= 0 else -ctypes.get_errno()
        return results

    def close(self) -> None:
        """
        See L{Writer}.
        """


class SubmittedWriter:
    """
    As many as may be in one C{io_submit}.
    """

    def __init__(self, capacity: int, machine: str = platform.machine()) -> None:
        """
        @param capacity: the most files in one call of the system.
        @raise OSError: the kernel has none of it for us.
        """
        if machine not in _CALLS or ctypes.sizeof(ctypes.c_void_p) != 8:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        self._setup, self._destroy, self._getevents, self._submit = _CALLS[machine]
        self._syscall = _function("syscall", *[ctypes.c_long] * 6)
        self._briefly = _function("syscall", *[ctypes.c_long] * 6, library=ctypes.PyDLL)
        self._blocks = np.zeros(capacity, _IOCB)
        self._blocks["data"] = np.arange(capacity)
        self._blocks["operation"] = _PWRITEV
        first = self._blocks.ctypes.data
        self._pointers = first + _IOCB.itemsize * np.arange(capacity, dtype=np.uint64)
        self._events = np.zeros(capacity, _EVENT)
        context = ctypes.c_ulong(0)
        self._context = 0
        self._call(self._setup, capacity, ctypes.addressof(context))
        self._context = context.value

    def _call(self, number: int, *arguments: int, briefly: bool = False) -> int:
        padded = [*arguments, 0, 0, 0, 0, 0][:5]
        syscall = self._briefly if briefly else self._syscall
        while (done := syscall(number, *padded)) < 0:
            if (code := ctypes.get_errno()) != errno.EINTR:
                raise OSError(code, os.strerror(code))
        return done

    def write(
        self,
        files: NDArray[np.int64],
        offsets: NDArray[np.int64],
        addresses: NDArray[np.int64],
        counts: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """
        See L{Writer}.
        """
        numbers, most = (files, offsets, addresses, counts), len(self._blocks)
        if len(files) <= most:
            return self._together(numbers)
        parts = [slice(begin, begin + most) for begin in range(0, len(files), most)]
        return np.concatenate([self._together([each[part] for each in numbers]) for part in parts])

    def _together(self, numbers: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
        files, offsets, addresses, counts = numbers
        total = len(files)
        blocks = self._blocks[:total]
        blocks["file"], blocks["offset"] = files, offsets
        blocks["buffer"], blocks["count"] = addresses, counts
        results = np.zeros(total, np.int64)
        position = submitted = 0
        while position < total:
            pointer = self._pointers.ctypes.data + 8 * position
            try:
                done = self._call(self._submit, self._context, total - position, pointer)
            except OSError as error:
                # The first of the rest was refused, as for a descriptor that is closed.
                results[position] = -(error.errno or errno.EIO)
                done = 1
            else:
                submitted += done
            position += done
        least = 0  # all is there by now: no need to wait, and to give the lock away again
        while submitted:
            events = self._events[:submitted]
            where = (least, submitted, events.ctypes.data, 0)
            got = self._call(self._getevents, self._context, *where, briefly=not least)
            results[events["data"][:got].astype(np.int64)] = events["result"][:got]
            submitted -= got
            least = submitted
        return results

    def close(self) -> None:
        """
        See L{Writer}.
        """
        if self._context:
            self._call(self._destroy, self._context)
            self._context = 0


def chooseWriter(capacity: int, make: Callable[[int], Writer] = SubmittedWriter) -> Writer:
    """
    @param capacity: the most files in one call of the system, where it takes several.
    @return: what C{make} gives, or where it cannot, one write per file.
    """
    try:
        return make(capacity)
    except OSError:
        return SeparateWriter()
