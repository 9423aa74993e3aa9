"""
Packets for the tests of sequences.
"""

from collections.abc import Sequence

import numpy as np

from siprec.media.rtp import RTPTable
from siprec.render.runs import Run
from siprec.render.sequence import Rows, Sequencer

#: Two synchronization sources.
A, B = 0xAAAA, 0xBBBB


def table(
    numbers: Sequence[int], stamps: Sequence[int] | None = None, ssrcs: Sequence[int] = ()
) -> RTPTable:
    """
    @return: packets of 20 ms, one after the other.
    """
    count = len(numbers)
    stamps = [number * 160 for number in numbers] if stamps is None else stamps
    return RTPTable(
        arrival=np.arange(count, dtype=np.int64) * 20_000_000,
        payloadType=np.zeros(count, np.uint8),
        marker=np.zeros(count, np.bool_),
        sequence=np.array([number & 0xFFFF for number in numbers], np.uint16),
        timestamp=np.array([stamp & 0xFFFFFFFF for stamp in stamps], np.uint32),
        ssrc=np.array(ssrcs or [A] * count, np.uint32),
        payloadStart=np.zeros(count, np.int64),
        payloadLength=np.full(count, 160, np.int64),
        data=np.zeros(160, np.uint8),
    )


def feed(sequencer: Sequencer, table: RTPTable) -> list[Rows]:
    """
    @return: where they belong.
    """
    return list(sequencer.feed(table, np.full(len(table), 160, np.int64)))


def one(numbers: Sequence[int], *more: Sequence[int]) -> tuple[Run, list[int]]:
    """
    @return: the only run, and the extended numbers of what is no duplicate.
    """
    sequencer = Sequencer()
    fresh = []
    for each in (numbers, *more):
        for found in feed(sequencer, table(each)):
            fresh += found.sequence[found.fresh].tolist()
    (run,) = sequencer.runs
    return run, fresh
