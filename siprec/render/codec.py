"""
What a codec is to the renderer.
"""

from typing import Protocol

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

__all__ = ["Decoder", "Independent", "Payloads", "PlainDecoder", "Voice"]

_Ints = NDArray[np.int64]


@frozen(eq=False)
class Payloads:
    """
    The payloads of some packets.

    @ivar data: payload i is C{data[start[i]:start[i] + length[i]]}.
    """

    data: NDArray[np.uint8]
    start: _Ints
    length: _Ints

    def __len__(self) -> int:
        return len(self.start)

    def octet(self, place: int) -> _Ints:
        """
        @return: one octet of each payload; 0 where it is shorter.
        """
        there = self.length > place
        octets = np.zeros(len(self), np.int64)
        octets[there] = self.data[self.start[there] + place]
        return octets

    def payload(self, row: int) -> bytes:
        """
        @return: one payload.
        """
        begin = int(self.start[row])
        return self.data[begin : begin + int(self.length[row])].tobytes()

    def gather(self) -> NDArray[np.uint8]:
        """
        @return: all of them, one after the other.
        """
        if not len(self):
            return np.empty(0, np.uint8)
        first, size = int(self.start[0]), int(self.length[0])
        if (self.length == size).all():
            step = int(self.start[1]) - first if len(self) > 1 else size
            if step >= size and (np.diff(self.start) == step).all():
                # A quiet network: equal packets, one behind the other.
                shape, strides = (len(self), size), (step, 1)
                rows = np.lib.stride_tricks.as_strided(self.data[first:], shape, strides)
                return rows.reshape(-1)
            # Rows of one length are gathered in one step.
            places = (self.start[:, None] + np.arange(size)).reshape(-1)
        else:
            ends = np.cumsum(self.length)
            before = np.repeat(self.start - (ends - self.length), self.length)
            places = np.arange(int(ends[-1])) + before
        gathered: NDArray[np.uint8] = self.data[places]
        return gathered


class Voice(Protocol):
    """
    A decoder at work on the packets of one source, in their order.
    """

    def decode(self, payloads: Payloads, hole: _Ints) -> tuple[NDArray[np.int16], _Ints]:
        """
        @param hole: how many samples are missing before each payload because packets
            were lost.
        @return: the samples of all payloads one after the other, each after those that
            conceal the hole before it; and how many of the latter there are, none of
            them more than are missing.  Nothing in a payload can make this fail.
        """


class Decoder(Protocol):
    """
    A codec.

    @ivar sampleRate: of what comes out, in hertz.
    """

    @property
    def sampleRate(self) -> int: ...

    def samples(self, payloads: Payloads) -> _Ints:
        """
        @return: how many samples each payload makes.
        """

    def open(self) -> Voice:
        """
        Begin to decode the packets of a source.
        """


class PlainDecoder(Protocol):
    """
    A codec whose packets can be decoded each by itself.
    """

    def decode(self, payloads: Payloads) -> NDArray[np.int16]:
        """
        @return: the samples of all payloads, one after the other.
        """


@frozen(eq=False)
class Independent:
    """
    A L{Voice} that remembers nothing and conceals nothing.
    """

    decoder: PlainDecoder

    def decode(self, payloads: Payloads, hole: _Ints) -> tuple[NDArray[np.int16], _Ints]:
        """
        See L{Voice.decode}.
        """
        return self.decoder.decode(payloads), np.zeros_like(hole)
