"""
C{siprec export}: the journals of a recording in a form that other programs read.
"""

from __future__ import annotations

import heapq
import os
import re
from collections.abc import Iterator
from typing import BinaryIO

from siprec.media.journal import BadJournal, parseHeader, readJournal
from siprec.session.manifest import Manifest, readManifest
from siprec.trace.pcap import PcapWriter, datagram, endOf

__all__ = ["ExportError", "exportPcap"]

_JOURNAL = re.compile(r"[0-9]{1,9}-[0-9]{1,9}\.rtpdump", re.ASCII)
_HEADER = 160  # no header is longer
_CHUNK = 1 << 20

# A packet of a journal: when it came, in nanoseconds, and its record.
_Packet = tuple[int, bytes]


class ExportError(Exception):
    """
    There is nothing to export; the text says why.
    """


def exportPcap(directory: str, file: BinaryIO) -> int:
    """
    Write all packets of a recording as a pcap file, by their time of arrival.  They are
    as they came, but decrypted, and without the sender's port, which journals do not
    know: the receiver's stands in its place.

    @param directory: of the recording; it may still run.
    @return: how many packets there were.
    @raise ExportError: there is no journal, or one cannot be read.
    @raise siprec.session.manifest.BadManifest: the manifest is none.
    @raise OSError: something cannot be read or written.
    """
    peer = _peerOf(readManifest(directory))
    names = sorted(name for name in os.listdir(directory) if _JOURNAL.fullmatch(name))
    if not names:
        raise ExportError(f"{directory}: there are no journals")
    flows = [_packets(os.path.join(directory, name), peer) for name in names]
    file.write(PcapWriter().head())
    count = 0
    for _, record in heapq.merge(*flows, key=lambda each: each[0]):
        file.write(record)
        count += 1
    return count


def _peerOf(manifest: Manifest) -> str:
    """
    @return: where the signalling came from; media may have come from elsewhere.
    """
    remote = str((manifest.get("sip") or {}).get("remoteAddress") or "")
    return remote.rpartition(":")[0].strip("[]")


def _packets(path: str, peer: str) -> Iterator[_Packet]:
    with open(path, "rb") as file:
        try:
            header = parseHeader(file.read(_HEADER))
        except BadJournal as error:
            raise ExportError(f"{path}: {error}") from error
    if header is None:
        return  # nothing came, or not all of the header was written
    plain = endOf(header.host, header.port)
    version = max(plain[0].version, endOf(peer, 0)[0].version)
    ends = [
        (endOf(peer, port, version), endOf(header.host, port, version))
        for port in (header.port, header.port + 1)
    ]
    for table in readJournal(path, _CHUNK):
        for row, arrival in enumerate(table.arrival.tolist()):
            # Where both come on one port it was the first; their looks tell them apart.
            source, target = ends[bool(table.rtcp[row])]
            yield arrival, datagram(arrival // 1000, source, target, table.packet(row))
