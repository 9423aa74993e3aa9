"""
What came, in numbers: those of all the streams in a slice at once.
"""

import numpy as np

from siprec.media.layout import Runs
from siprec.media.stream import Cells

__all__ = ["countIn"]


def countIn(cells: Cells, runs: Runs) -> None:
    """
    Add what a slice took to the numbers of its streams.
    """
    batch, split = runs.batch, runs.split
    data, rows, others = cells.data, runs.rows[:split], runs.rows[split:]
    data["packets"][rows] += runs.counts[:split]
    data["octets"][rows] += runs.octets[:split]
    data["controlPackets"][others] += runs.counts[split:]
    latest = np.maximum.reduceat(batch.arrival, runs.firsts)
    earliest = np.minimum.reduceat(batch.arrival, runs.firsts)
    # A stream may have two runs: one after the other, then.
    for part in (slice(0, split), slice(split, None)):
        rows = runs.rows[part]
        data["lastNs"][rows] = np.maximum(data["lastNs"][rows], latest[part])
        data["firstNs"][rows] = np.minimum(data["firstNs"][rows], earliest[part])
    cut = batch.wire > batch.length
    if cut.any():
        lost = np.add.reduceat(cut, runs.firsts, dtype=np.int64)
        np.add.at(data["truncated"], runs.rows, lost)
    if batch.drops is not None:
        drops = np.maximum.reduceat(batch.drops, runs.firsts)[:split]
        rows = runs.rows[:split]
        data["rtpDrops"][rows] = np.maximum(data["rtpDrops"][rows], drops)
