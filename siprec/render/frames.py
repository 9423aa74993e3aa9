"""
Payloads of codecs cut into the frames that a decoder takes.
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from siprec.render.codec import Payloads

__all__ = [
    "AMR_BITS",
    "AMR_WB_BITS",
    "Adaptive",
    "Blocks",
    "Cutter",
    "Opus",
    "Whole",
    "parameters",
]

_Ints = NDArray[np.int64]

#: Bits of the speech of each frame type (RFC 4867 section 3.6; 3GPP TS 26.101 and 26.201).
AMR_BITS = (95, 103, 118, 134, 148, 159, 204, 244, 39)
AMR_WB_BITS = (132, 177, 253, 285, 317, 365, 397, 461, 477, 40)

#: More frames are in no payload: it would be longer than a second.
MAX_FRAMES = 50


class Cutter(Protocol):
    """
    How a codec's frames lie in a payload.
    """

    def samples(self, payloads: Payloads) -> _Ints:
        """
        @return: how many samples each payload makes.
        """

    def frames(self, payload: bytes) -> list[bytes]:
        """
        @return: what the decoder takes one after the other; whatever it is, it comes
            from a peer.
        """

    def erased(self, last: bytes) -> bytes | None:
        """
        @param last: the frame before.
        @return: what makes the decoder conceal that a frame was lost; C{None}: nothing.
        """


@frozen
class Blocks:
    """
    Frames of one size; what is left over is none, such as the two octets of comfort
    noise in G.729 (RFC 3551 section 4.5.6).

    @ivar octets: of a frame.
    @ivar each: samples of a frame.
    @ivar erasure: see L{Cutter.erased}.
    """

    octets: int
    each: int
    erasure: bytes | None = None

    def samples(self, payloads: Payloads) -> _Ints:
        """
        See L{Cutter.samples}.
        """
        return payloads.length // self.octets * self.each

    def frames(self, payload: bytes) -> list[bytes]:
        """
        See L{Cutter.frames}.
        """
        size = self.octets
        whole = len(payload) // size * size
        return [payload[at : at + size] for at in range(0, whole, size)]

    def erased(self, last: bytes) -> bytes | None:
        """
        See L{Cutter.erased}.
        """
        return self.erasure


@frozen
class Whole:
    """
    A payload is a piece of an endless flow, of any length.

    @ivar each: samples of an octet.
    """

    each: int

    def samples(self, payloads: Payloads) -> _Ints:
        """
        See L{Cutter.samples}.
        """
        return payloads.length * self.each

    def frames(self, payload: bytes) -> list[bytes]:
        """
        See L{Cutter.frames}.
        """
        return [payload] if payload else []

    def erased(self, last: bytes) -> bytes | None:
        """
        See L{Cutter.erased}.
        """
        return None


@frozen
class Opus:
    """
    A payload is a packet of Opus (RFC 6716 section 3), at 48,000 samples a second.
    """

    def samples(self, payloads: Payloads) -> _Ints:
        """
        See L{Cutter.samples}.
        """
        first = payloads.octet(0)
        counts = np.array([1, 2, 2, 0])[first & 3]
        counts = np.where(first & 3 == 3, payloads.octet(1) & 63, counts)
        samples: _Ints = _OPUS[first >> 3] * counts
        # No packet is longer than 120 ms.
        samples[(payloads.length == 0) | (samples > 5760)] = 0
        return samples

    def frames(self, payload: bytes) -> list[bytes]:
        """
        See L{Cutter.frames}.
        """
        return [payload] if payload else []

    def erased(self, last: bytes) -> bytes | None:
        """
        A frame without octets is one that was not sent (RFC 6716 section 3.2.1).
        """
        return bytes([last[0] & 0xFC])


# Samples of a frame by the configuration: SILK of four sizes, hybrid of two, CELT of four.
_OPUS = np.array([480, 960, 1920, 2880] * 3 + [480, 960] * 2 + [120, 240, 480, 960] * 4, np.int64)


@frozen
class Adaptive:
    """
    AMR and AMR-WB (RFC 4867 section 4), without interleaving, checksums and channels.
    The decoder takes frames as they lie in files (section 5.3).

    @ivar bits: of each frame type.
    @ivar each: samples of a frame.
    @ivar aligned: every part begins at an octet (section 4.4), not at any bit (4.3).
    """

    bits: tuple[int, ...]
    each: int
    aligned: bool

    def samples(self, payloads: Payloads) -> _Ints:
        """
        See L{Cutter.samples}.
        """
        first = payloads.octet(1 if self.aligned else 0)
        follows = first >> (7 if self.aligned else 3) & 1
        counts = np.where(payloads.length >= 2, 1, 0)
        for row in np.flatnonzero((follows > 0) & (counts > 0)).tolist():
            counts[row] = len(self._types(payloads.payload(row)))
        samples: _Ints = counts * self.each
        return samples

    def frames(self, payload: bytes) -> list[bytes]:
        """
        See L{Cutter.frames}.
        """
        types = self._types(payload)
        # After the mode request of 4 bits; a table entry has 6.
        at = 8 + 8 * len(types) if self.aligned else 4 + 6 * len(types)
        value, total = int.from_bytes(payload, "big"), 8 * len(payload)
        found = []
        for kind, good in types:
            size = self.bits[kind] if kind < len(self.bits) else 0
            octets = -(-size // 8)
            end = at + (8 * octets if self.aligned else size)
            if end > total:
                break
            speech = (value >> total - at - size) & ((1 << size) - 1)
            head = bytes([kind << 3 | good << 2])
            found.append(head + (speech << 8 * octets - size).to_bytes(octets, "big"))
            at = end
        return found

    def erased(self, last: bytes) -> bytes | None:
        """
        The decoder would go on with comfort noise, and be long in coming back.
        """
        return None

    def _types(self, payload: bytes) -> list[tuple[int, int]]:
        """
        @return: the type of each frame, and 1 if it is whole.
        """
        if len(payload) < 2:
            return []
        value, total = int.from_bytes(payload, "big"), 8 * len(payload)
        size, at = (8, 8) if self.aligned else (6, 4)
        found: list[tuple[int, int]] = []
        while at + size <= total and len(found) < MAX_FRAMES:
            entry = value >> total - at - size
            entry = entry >> 2 if self.aligned else entry
            found.append((entry >> 1 & 0xF, entry & 1))
            at += size
            if not entry & 0x20:
                return found
        return []


def parameters(fmtp: str | None) -> Mapping[str, str]:
    """
    @return: what C{a=fmtp} says, by names in lower case.
    """
    found: dict[str, str] = {}
    for part in (fmtp or "").split(";"):
        name, _, value = part.partition("=")
        found.setdefault(name.strip().lower(), value.strip())
    return found
