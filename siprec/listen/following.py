"""
Reading a journal while it is being written.
"""

from __future__ import annotations

import os

import numpy as np
from attrs import define, field

from siprec.media.journal import (
    JournalHeader,
    PacketTable,
    cutRecords,
    journalEnd,
    parseHeader,
)
from siprec.media.rtp import RTPTable, parseTable

__all__ = ["Follower"]

_HEADER = 160  # no header is longer
_CHUNK = 1 << 16  # octets that are read at once: more than any record has


@define(eq=False, repr=False)
class Follower:
    """
    One journal, which grows; there may be no file yet.  Nothing is kept open, as there
    may be many, and hours between two packets.
    """

    path: str
    _header: JournalHeader | None = field(default=None, init=False)
    _position: int = field(default=0, init=False)
    _newest: int = field(default=0, init=False)

    def skip(self) -> None:
        """
        Leave out what is there already.

        @raise BadJournal: it is no journal.
        @raise OSError: it cannot be read.
        """
        try:
            self._header, self._position = journalEnd(self.path)
        except FileNotFoundError:
            return

    def read(self, untilNs: int) -> list[RTPTable]:
        """
        Read on, until something came after C{untilNs}, or there is no more now.

        @return: the packets, in the order in which they came.
        @raise BadJournal: it is no journal.
        @raise OSError: it cannot be read.
        """
        found: list[RTPTable] = []
        if self._newest > untilNs:
            return found
        try:
            with open(self.path, "rb", buffering=0) as file:
                while self._newest <= untilNs:
                    table = self._next(file.fileno())
                    if table is None:
                        break
                    self._newest = int(np.max(table.arrival))
                    rtp, _ = parseTable(table)
                    if len(rtp):
                        found.append(rtp)
        except FileNotFoundError:
            pass  # nothing has come yet
        return found

    def _next(self, descriptor: int) -> PacketTable | None:
        if self._header is None:
            self._header = parseHeader(os.pread(descriptor, _HEADER, 0))
            if self._header is None:
                return None
            self._position = self._header.size
        # What is not whole yet is read again.
        data = os.pread(descriptor, _CHUNK, self._position)
        table, end = cutRecords(data, self._header.startNs)
        self._position += end
        return table if len(table) else None
