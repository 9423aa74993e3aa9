"""
The memory into which packets are received.
"""

import mmap
from contextlib import suppress
from typing import Protocol

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

__all__ = ["HEADROOM", "IOVEC", "Arena", "Pages", "enlarge"]

#: Octets before each packet in the arena: a record header and, once, a file header.
HEADROOM = 128
#: C{struct iovec}.
IOVEC = np.dtype([("base", np.uintp), ("length", np.uintp)])

_PAGE = mmap.PAGESIZE
_LARGE = 1 << 21  # octets of a large page


class Pages(Protocol):
    """
    Of C{mmap} what is needed here.
    """

    def madvise(self, option: int, start: int, length: int) -> None:
        """
        Say how memory will be used.
        """


def enlarge(pages: Pages, begin: int, length: int, rest: int) -> None:
    """
    Ask for large pages from C{begin} on, and for small ones in the C{rest} behind, whatever
    the system likes.  It works without: some kernels have no others.
    """
    with suppress(OSError):
        pages.madvise(mmap.MADV_HUGEPAGE, begin, length)
        pages.madvise(mmap.MADV_NOHUGEPAGE, begin + length, rest)


@frozen(eq=False)
class Arena:
    """
    The memory: per slot headroom and C{slotSize} octets, and apart from them C{overflow}
    octets for the rest of a large packet.  That part is so seldom touched that most
    of it never becomes real memory.  The slots are asked for in large pages, as there are
    more of them than a processor can remember the places of small ones.
    """

    slots: int
    slotSize: int
    overflow: int
    stride: int = field(init=False)
    memory: NDArray[np.uint8] = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "stride", HEADROOM + self.slotSize)
        near = self.slots * self.stride
        size = near + self.slots * self.overflow
        pages = mmap.mmap(
            -1, -(-size // _PAGE) * _PAGE + _LARGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        )
        begin = -np.frombuffer(pages, np.uint8).ctypes.data % _LARGE
        # Else each start of a process would have it copied, page by page.
        pages.madvise(mmap.MADV_DONTFORK)
        large = near // _LARGE * _LARGE
        enlarge(pages, begin, large, len(pages) - begin - large)
        memory = np.frombuffer(pages, np.uint8)[begin : begin + size]
        object.__setattr__(self, "memory", memory)

    def iovecs(self) -> NDArray[np.void]:
        """
        @return: shape (slots, 2): the slot and its overflow.
        """
        vectors = np.zeros((self.slots, 2), IOVEC)
        index = np.arange(self.slots)
        vectors["base"][:, 0] = self.memory.ctypes.data + index * self.stride + HEADROOM
        vectors["length"][:, 0] = self.slotSize
        beyond = self.memory.ctypes.data + self.slots * self.stride
        vectors["base"][:, 1] = beyond + index * self.overflow
        vectors["length"][:, 1] = self.overflow
        return vectors
