"""
What visits of the capture cost beside the floor, on a machine that has other things to do.

Packets are sent first and then taken, in one process, in turn from sockets that a bare
C{recvmmsg} loop empties and from those of the capture, with RTCP and journals; only the
thread's own processor time while taking them counts.  So it is of no matter whether a sender
gets to send in time::

    python benchmarks/visits.py --streams 2000 --packets 10 --rounds 25
"""

from __future__ import annotations

import argparse
import ctypes
import json
import resource
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.sender import Streams
from siprec.media.batch import Receiver
from siprec.media.drain import Drain
from siprec.media.origin import Expected
from siprec.media.ports import PortPair, PortPool
from siprec.media.stream import CapturedStream, JournalFile
from siprec.media.writing import WRITES, chooseWriter

__all__ = ["measure"]

_CONTROL = bytes.fromhex("80c80006") + bytes(24)
_SLOTS = 64  # of the bare loop
_SLICE = 0.05


class _Source:
    """
    Sends to the ports of some pairs.
    """

    def __init__(self, pairs: Sequence[PortPair]) -> None:
        self._pairs, self._streams = pairs, Streams()
        self._streams.change([pair.rtpPort for pair in pairs], [])
        self._out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._out.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        self._sendmmsg = ctypes.CDLL(None).sendmmsg
        self._sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
        self._next = 0

    def send(self, packets: int) -> None:
        """
        Send so many to each port, and to one RTCP port in 250 for each of them.
        """
        count = len(self._pairs)
        for turn in range(packets):
            self._streams.step(turn)
            at = 0
            while at < count:
                message = self._streams.message(at)
                at += max(self._sendmmsg(self._out.fileno(), message, count - at, 0), 0)
            for _ in range(max(count // 250, 1) if turn + 1 < packets else 0):
                self._next = (self._next + 97) % count
                self._out.sendto(_CONTROL, ("127.0.0.1", self._pairs[self._next].rtcpPort))


def _bareLoop(pairs: Sequence[PortPair]) -> Callable[[], None]:
    memory = np.zeros((_SLOTS, 2048), np.uint8)
    vectors = np.zeros((_SLOTS, 2), np.uint64)
    vectors[:, 0], vectors[:, 1] = memory.ctypes.data + 2048 * np.arange(_SLOTS), 2048
    messages = np.zeros((_SLOTS, 8), np.uint64)
    messages[:, 2], messages[:, 3] = vectors.ctypes.data + 16 * np.arange(_SLOTS), 1
    recvmmsg = ctypes.PyDLL(None).recvmmsg
    pointer = ctypes.c_void_p
    recvmmsg.argtypes = (ctypes.c_int, pointer, ctypes.c_uint, ctypes.c_int, pointer)
    numbers = [pair.rtp.fileno() for pair in pairs]

    def take(kept: tuple[object, ...] = (memory, vectors, messages)) -> None:
        for number in numbers:
            recvmmsg(number, messages.ctypes.data, _SLOTS, socket.MSG_DONTWAIT, None)

    return take


def _capture(pairs: Sequence[PortPair], directory: str) -> Callable[[], None]:
    receiver = Receiver()
    drain = Drain(receiver, chooseWriter(WRITES), lambda stream, error: None)
    for pair in pairs:
        path = f"{directory}/{pair.rtpPort}.rtpdump"
        stream = CapturedStream(path, pair, JournalFile(path))
        stream.expect(Expected("latch", "127.0.0.1"), time.time_ns())
        drain.add(stream)

    def take() -> None:
        index = 0
        while index < len(pairs):
            index = drain.visit(index, _SLICE)

    return take


def measure(streams: int, packets: int, rounds: int, directory: str) -> dict[str, float]:
    """
    @param packets: of each stream in a round.
    @return: microseconds for a packet, the median of the rounds and the least.
    """
    pool = PortPool(20_000, 65_000, time.monotonic)
    costs: dict[str, list[float]] = {"floor": [], "capture": []}
    steps = []
    for name in costs:
        pairs = [pool.allocate("127.0.0.1") for _ in range(streams)]
        take = _bareLoop(pairs) if name == "floor" else _capture(pairs, directory)
        steps.append((name, _Source(pairs), take))
    for turn in range(rounds + 2):
        for name, source, take in steps:
            source.send(packets)
            time.sleep(0.02)
            began = time.thread_time()
            take()
            if turn >= 2:  # the first open journals and learn the sources
                took = time.thread_time() - began
                costs[name].append(1e6 * took / streams / packets)
    found: dict[str, float] = {}
    for name, values in costs.items():
        found[name] = round(statistics.median(values), 3)
        found[f"{name}Least"] = round(min(values), 3)
    found["ratio"] = round(found["capture"] / found["floor"], 2)
    found["ratioOfLeast"] = round(found["captureLeast"] / found["floorLeast"], 2)
    return found


def main() -> None:
    """
    Measure.
    """
    parser = argparse.ArgumentParser(description="Say what visits of the capture cost.")
    parser.add_argument("--streams", type=int, default=2000)
    parser.add_argument("--packets", type=int, default=10, help="of a stream in one visit")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--directory", help="where to write; default: a temporary one")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory(prefix="visits-", dir=options.directory) as directory:
        print(json.dumps(measure(options.streams, options.packets, options.rounds, directory)))


if __name__ == "__main__":
    main()
