"""
When the last packet of a journal came, without reading all of it.

Records can only be read forward, for their lengths stand before them.  So the begin
of some record near the end is to be guessed: the place from which a long chain of
records leads to the end of the file, or to where a crash has torn it.  Where that is
not beyond doubt, as with packets made to look like records, all of it is read.
"""

import os
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from siprec.media.journal import RECORD, JournalHeader, parseHeader, readJournal

__all__ = ["WINDOW", "lastArrival"]

#: How many octets at the end of a journal are looked at: 7 seconds of G.711.
WINDOW = 1 << 16
_HEADER = 160  # no header is longer
# A chain of fewer records proves nothing; one of fewer than the second raises no
# doubt about a longer one.
_PROOF, _DOUBT = 16, 4
_MS = 1_000_000


@frozen
class _Chain:
    """
    Records that follow one another to the end.

    @ivar count: how many of them are whole.
    @ivar last: where the last of those begins; below 0: none is.
    """

    count: int
    last: int


def lastArrival(path: str | os.PathLike[str], window: int = WINDOW) -> int | None:
    """
    @param window: see L{WINDOW}; a journal that is no longer is read as a whole.
    @return: arrival of the last whole record, nanoseconds since the epoch (UTC), or
        C{None} if there is none.
    @raise BadJournal: it is no rtpdump file.
    @raise OSError: it cannot be read.
    """
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        header = parseHeader(file.read(_HEADER))
        if header is not None and size - header.size > window:
            found = _fromTail(file, header, size - window)
            if found is not None:
                return found
    last = None
    for table in readJournal(path):
        last = int(table.arrival[-1])
    return last


def _fromTail(file: BinaryIO, header: JournalHeader, begin: int) -> int | None:
    """
    @return: as of L{lastArrival}, or C{None} if that is in doubt.
    """
    file.seek(begin)
    data = file.read()
    chains = list(_chains(data))
    best = max(chains, key=lambda chain: chain.count, default=None)
    if best is None or best.count < _PROOF:
        return None
    if any(chain.last != best.last for chain in chains if chain.count >= _DOUBT):
        return None
    offset = int.from_bytes(data[best.last + 4 : best.last + 8], "big")
    return header.startNs + offset * _MS


def _chains(data: bytes) -> Iterator[_Chain]:
    """
    @return: of each place that may be the begin of a record, the chain from there,
        if it leads to the end.
    """
    view = np.frombuffer(data, np.uint8)
    places, ends = _plausible(view)
    # Zeros that a crash left behind are the end as well.
    used = np.flatnonzero(view)
    end = min(int(used[-1]) + 1 if len(used) else 0, len(data) - RECORD.itemsize + 1)
    found: dict[int, _Chain] = {}
    for place, after in zip(places[::-1].tolist(), ends[::-1].tolist(), strict=True):
        if after > len(data):
            found[place] = chain = _Chain(0, -1)  # torn
        elif after >= end:
            found[place] = chain = _Chain(1, place)
        elif after in found:
            rest = found[after]
            last = rest.last if rest.count else place
            found[place] = chain = _Chain(rest.count + 1, last)
        else:
            continue
        yield chain


def _plausible(view: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """
    @return: where a record of a whole packet may begin, and where it would end.
    """
    if len(view) < RECORD.itemsize:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    wide = view.astype(np.int64)
    words = wide[:-1] << 8 | wide[1:]
    length = words[: len(view) - RECORD.itemsize + 1]
    wire = words[2 : len(length) + 2]
    some = (length >= RECORD.itemsize) & ((wire == 0) | (wire == length - RECORD.itemsize))
    places = np.flatnonzero(some)
    return places, places + length[places]
