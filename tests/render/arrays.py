"""
Channels of audio in memory.
"""

from typing import Any

from attrs import frozen
from numpy.typing import NDArray

__all__ = ["Channel"]


@frozen(eq=False)
class Channel:
    """
    L{siprec.render.audio.Samples} of an array.
    """

    samples: NDArray[Any]

    @property
    def frames(self) -> int:
        """
        How many samples there are.
        """
        return len(self.samples)

    def read(self, position: int, count: int) -> NDArray[Any]:
        """
        @return: a part of them.
        """
        return self.samples[position : position + count]
