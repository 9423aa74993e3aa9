"""
The journal: every packet of a stream as it came, in the rtpdump format.

The format is that of rtptools (C{rtpdump -F dump}), which Wireshark 4.2 reads too: a
text line, a header with the start time, then one record per packet with its
arrival in whole milliseconds after that start.  All numbers are big-endian.
"""

import os
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import BinaryIO

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

__all__ = [
    "MAX_PACKET",
    "RECORD",
    "BadJournal",
    "JournalHeader",
    "PacketTable",
    "cutRecords",
    "fileHeader",
    "journalEnd",
    "parseHeader",
    "readHeader",
    "readJournal",
    "readTables",
    "soundEnd",
    "startFor",
]

#: C{RD_packet_t}: length with this header, length on the wire (0: RTCP), offset in ms.
RECORD = np.dtype([("length", ">u2"), ("plen", ">u2"), ("offset", ">u4")])
#: The longest packet that a record can hold; longer than any UDP payload on IPv4 or IPv6.
MAX_PACKET = 0xFFFF - RECORD.itemsize
_MAGIC = b"#!rtpplay1.0 "
_LONGEST_LINE = 128
_FIXED = struct.Struct(">II4sHH")  # RD_hdr_t: seconds, microseconds, source, port, padding
_MS = 1_000_000


class BadJournal(ValueError):
    """
    The file does not begin as an rtpdump file does.
    """


@frozen
class JournalHeader:
    """
    What stands before the first record.

    @ivar startNs: what the offsets count from, nanoseconds since the epoch (UTC).
    @ivar size: octets from the begin of the file to the first record.
    """

    startNs: int
    host: str
    port: int
    size: int


@frozen(eq=False)
class PacketTable:
    """
    Some packets in arrival order; packet i is C{data[start[i]:start[i] + length[i]]}.

    @ivar arrival: int64, nanoseconds since the epoch (UTC), to the millisecond.
    @ivar start: int64, where each packet begins in C{data}.
    @ivar length: int64, octets that were captured.
    @ivar rtcp: true for what came on the RTCP port, and for what RFC 5761 section 4
        tells to be RTCP on the RTP port.
    @ivar data: uint8.
    """

    arrival: NDArray[np.int64]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    rtcp: NDArray[np.bool_]
    data: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.start)

    def packet(self, index: int) -> bytes:
        """
        @return: the octets of one packet.
        """
        begin = int(self.start[index])
        return self.data[begin : begin + int(self.length[index])].tobytes()


def startFor(arrivalNs: int) -> int:
    """
    @return: the start time to write for a journal whose first packet came then:
        a whole millisecond, so that start and offset add up to the arrival cut to
        the millisecond for every packet.
    """
    return arrivalNs // _MS * _MS


def fileHeader(startNs: int, host: str, port: int) -> bytes:
    """
    @param startNs: see L{startFor}.
    @param host: the local address, IPv4 or IPv6 (without brackets).
    @param port: the local RTP port.
    """
    host = host.partition("%")[0]  # a zone says nothing on another machine
    # The binary field has room for IPv4 only; rtptools write zero for the rest.
    source = bytes(4) if ":" in host else IPv4Address(host).packed
    seconds, rest = divmod(startNs, 1_000_000_000)
    line = _MAGIC + f"{host}/{port}\n".encode("ascii")
    return line + _FIXED.pack(seconds & 0xFFFFFFFF, rest // 1000, source, port, 0)


def parseHeader(data: bytes) -> JournalHeader | None:
    """
    @param data: the first octets of a file, 160 or all there are.
    @return: C{None} if the file ends within the header, as after a crash in the
        very first write.
    @raise BadJournal: it is something else.
    """
    if not (data.startswith(_MAGIC) or _MAGIC.startswith(data)):
        raise BadJournal(f"not an rtpdump file: begins with {data[:16]!r}")
    line, end, rest = data.partition(b"\n")
    if not end:
        if len(data) > _LONGEST_LINE:
            raise BadJournal("the first line does not end")
        return None
    host, slash, port = line[len(_MAGIC) :].partition(b"/")
    if not (slash and port.strip().isdigit()):
        raise BadJournal(f"no address/port in the first line: {line[:_LONGEST_LINE]!r}")
    if len(rest) < _FIXED.size:
        return None
    seconds, micros, _, _, _ = _FIXED.unpack_from(rest)
    start = seconds * 1_000_000_000 + micros * 1000
    return JournalHeader(start, host.decode("latin-1"), int(port), len(line) + 1 + _FIXED.size)


def _run(view: NDArray[np.uint8], position: int, length: int) -> int:
    """
    @return: how many records of the same C{length} follow each other, 1 or more.
    """
    fit = (len(view) - position) // length
    known, window = 1, 16
    while known < fit:
        upTo = min(fit, known + window)
        heads = view[position + known * length : position + upTo * length].reshape(-1, length)
        same = (heads[:, 0] == length >> 8) & (heads[:, 1] == length & 0xFF)
        if not same.all():
            return known + int(same.argmin())
        known, window = upTo, window * 4
    return known


def _walk(buffer: bytes) -> tuple[NDArray[np.int64], int, bool]:
    """
    Find the records.  Codecs of a constant rate give long runs of one length, which
    are stepped over at once; for the others a plain walk is the cheaper way.

    @return: where each whole record begins, where the last one ends, and whether
        more octets could complete the next one.
    """
    view = np.frombuffer(buffer, np.uint8)
    pieces: list[NDArray[np.int64]] = []
    singles: list[int] = []
    position, patience, size = 0, 0, len(buffer)
    while position + RECORD.itemsize <= size:
        length = buffer[position] << 8 | buffer[position + 1]
        if length < RECORD.itemsize:
            # No such record is ever written: zeros that a crash left behind, or damage.
            return np.concatenate([*pieces, np.array(singles, np.int64)]), position, False
        if position + length > size:
            break
        run = 1
        if patience:
            patience -= 1
        else:
            run = _run(view, position, length)
            patience = 64 if run < 8 else 0
        if run == 1:
            singles.append(position)
        else:
            pieces.append(np.array(singles, np.int64))
            pieces.append(position + length * np.arange(run, dtype=np.int64))
            singles = []
        position += run * length
    return np.concatenate([*pieces, np.array(singles, np.int64)]), position, True


def _field(view: NDArray[np.uint8], at: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """
    @return: the big-endian number of C{size} octets at each of the places C{at}.
    """
    value = view[at].astype(np.int64)
    for step in range(1, size):
        value = value << 8 | view[at + step]
    return value


def _table(buffer: bytes, records: NDArray[np.int64], startNs: int) -> PacketTable:
    """
    @param records: where the records begin in C{buffer}.
    """
    view = np.frombuffer(buffer, np.uint8)
    start = records + RECORD.itemsize
    length = _field(view, records, 2) - RECORD.itemsize
    rtcp = _field(view, records + 2, 2) == 0
    # RFC 5761 section 4: with rtcp-mux both come on one port and the second octet
    # of RTCP is 192 to 223, which no RTP payload type may look like there.
    heads = np.where(length >= 2, start, 0)
    kind = view[heads + 1]
    rtcp |= (length >= 2) & (view[heads] >> 6 == 2) & (kind >= 192) & (kind <= 223)
    arrival = startNs + _field(view, records + 4, 4) * _MS
    return PacketTable(arrival, start, length, rtcp, view)


def cutRecords(buffer: bytes, startNs: int) -> tuple[PacketTable, int]:
    """
    Take the whole records from what begins with one.

    @param startNs: of the journal's header.
    @return: their packets, and where the last of them ends.
    """
    records, end, _ = _walk(buffer)
    return _table(buffer, records, startNs), end


def readHeader(file: BinaryIO) -> JournalHeader | None:
    """
    @return: what L{parseHeader} says of a file, which then is at its first record.
    @raise BadJournal: it is something else.
    """
    header = parseHeader(file.read(_LONGEST_LINE + 32))
    if header is not None:
        file.seek(header.size)
    return header


def readTables(file: BinaryIO, startNs: int, chunkBytes: int = 8 << 20) -> Iterator[PacketTable]:
    """
    L{readJournal}, where a file is open.

    @param file: at a record.
    @param startNs: of its header.
    """
    rest, more = b"", True
    while more and (fresh := file.read(max(chunkBytes, 0x10000))):
        buffer = rest + fresh
        records, end, more = _walk(buffer)
        if len(records):
            yield _table(buffer, records, startNs)
        rest = buffer[end:]


def readJournal(path: str | os.PathLike[str], chunkBytes: int = 8 << 20) -> Iterator[PacketTable]:
    """
    Read a journal in tables of about C{chunkBytes} each, so that memory is bounded
    however long the call was.  A torn last record, or a file that a crash left with
    less than its header, ends the reading without an error.

    @raise BadJournal: from the first step, if it is no rtpdump file.
    @raise OSError: if it cannot be read.
    """
    with open(path, "rb") as file:
        header = readHeader(file)
        if header is not None:
            yield from readTables(file, header.startNs, chunkBytes)


def journalEnd(path: str | os.PathLike[str]) -> tuple[JournalHeader | None, int]:
    """
    Where a journal may be continued.

    @return: its header (C{None}: nothing whole is in it, begin anew) and the end of
        its last whole record.
    @raise BadJournal: it is no rtpdump file.
    @raise OSError: if it cannot be read.
    """
    with open(path, "rb") as file:
        header = readHeader(file)
        if header is None:
            return None, 0
        rest, position, more = b"", header.size, True
        while more:
            fresh = file.read(1 << 20)
            buffer = rest + fresh
            _, end, more = _walk(buffer)
            position += end
            rest = buffer[end:]
            more = more and bool(fresh)
        return header, position


def soundEnd(path: str | os.PathLike[str], untilNs: int) -> int:
    """
    Where what a crash has left of a journal stops making sense.  A torn record is
    damage, and so are zeros; but what a power cut leaves may also look like records.

    @param untilNs: no packet can have come after this, nanoseconds since the epoch.
    @return: the end of the last record before which all are whole and can be true;
        0 if not even the header is whole.
    @raise BadJournal: it is no rtpdump file.
    @raise OSError: if it cannot be read.
    """
    with open(path, "rb") as file:
        header = readHeader(file)
        if header is None:
            return 0
        rest, position, more = b"", header.size, True
        while more:
            fresh = file.read(1 << 20)
            buffer = rest + fresh
            records, end, more = _walk(buffer)
            table = _table(buffer, records, header.startNs)
            wire = _field(table.data, records + 2, 2)
            bad = (table.arrival > untilNs) | ((wire > 0) & (wire < table.length))
            if bad.any():
                return position + int(records[bad.argmax()])
            position += end
            rest = buffer[end:]
            more = more and bool(fresh)
        return position
