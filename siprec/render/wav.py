"""
What a WAV file of linear samples begins with.
"""

import struct

__all__ = ["wavHeader"]

_PCM = 1
_OCTETS = 2  # of a sample


def wavHeader(frames: int, channels: int, rate: int) -> bytes:
    """
    @param frames: of 16 bits for each channel, so that all of it is below 4 GiB.
    @param rate: samples a second.
    @return: all up to the first sample (Multimedia Programming Interface, 1991), to the
        octet as libsndfile writes it.
    """
    width = channels * _OCTETS
    form = struct.pack("<HHIIHH", _PCM, channels, rate, rate * width, width, 8 * _OCTETS)
    chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    chunks += b"data" + struct.pack("<I", frames * width)
    return b"RIFF" + struct.pack("<I", len(chunks) + frames * width) + chunks
