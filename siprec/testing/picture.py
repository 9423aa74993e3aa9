"""
Audio as a small picture for a terminal.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Nine steps from silence to loud; each step is 5 dB.
_BLOCKS = " \u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
_ASCII = " .:-=+*#@"
_FLOOR, _STEP = -54.0, 5.0


def loudness(samples: NDArray[np.float64], columns: int) -> list[float]:
    """
    @param samples: one channel, full scale is 1.
    @return: the effective level in dB below full scale, for each of so many
        equal parts of the time; C{-inf} for silence.
    """
    with np.errstate(divide="ignore"):
        return [
            float(10 * np.log10(np.mean(part**2))) if len(part) else float("-inf")
            for part in np.array_split(samples, columns)
        ]


def picture(
    channels: Sequence[tuple[str, NDArray[np.float64]]],
    sampleRate: int,
    encoding: str,
    columns: int = 60,
) -> list[str]:
    """
    Draw the channels' loudness over time, one line each and one for the time.

    @param channels: name and samples, full scale is 1.
    @param encoding: of the terminal; plain ASCII is used if it has no blocks.
    """
    try:
        _BLOCKS.encode(encoding)
        steps = _BLOCKS
    except (UnicodeEncodeError, LookupError):
        steps = _ASCII
    width = max((len(name) for name, _ in channels), default=0)
    lines = []
    for name, samples in channels:
        levels = (
            round((level - _FLOOR) / _STEP) if level > _FLOOR else 0
            for level in loudness(samples, columns)
        )
        drawn = "".join(steps[min(max(level, 0), len(steps) - 1)] for level in levels)
        lines.append(f"{name:{width}} |{drawn}|")
    seconds = max((len(samples) for _, samples in channels), default=0) / sampleRate
    end = f"{seconds:.1f} s"
    return [*lines, f"{'':{width}}  0 s{end:>{columns - 3}}"]


__all__ = ["loudness", "picture"]
