"""
The memory into which packets are received.
"""

import mmap

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

__all__ = ["HEADROOM", "IOVEC", "Arena"]

#: Octets before each packet in the arena: a record header and, once, a file header.
HEADROOM = 128
#: C{struct iovec}.
IOVEC = np.dtype([("base", np.uintp), ("length", np.uintp)])

_PAGE = mmap.PAGESIZE


@frozen(eq=False)
class Arena:
    """
    The memory: per slot headroom and C{slotSize} octets, and apart from them C{overflow}
    octets for the rest of a large packet.  That part is so seldom touched that most
    of it never becomes real memory.
    """

    slots: int
    slotSize: int
    overflow: int
    stride: int = field(init=False)
    memory: NDArray[np.uint8] = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "stride", HEADROOM + self.slotSize)
        size = self.slots * (self.stride + self.overflow)
        pages = mmap.mmap(-1, -(-size // _PAGE) * _PAGE)
        object.__setattr__(self, "memory", np.frombuffer(pages, np.uint8))

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
