"""
Sends RTP to many ports of 127.0.0.1 by C{sendmmsg}, a packet to each every 20 ms, in a
process of its own.  Which ports is read from standard input, a JSON object in each line:
C{{"add": [...], "remove": [...]}}.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siprec.media.keys import SUITES

__all__ = ["PAYLOAD", "change", "protected", "startSender"]

#: Octets of a packet: the header and 20 ms of G.711.
PAYLOAD = 172
RTCP_SECONDS = 5.0

_CONTROL = bytes.fromhex("80c80006") + bytes(24)
_PARTS = 20


def protected(count: int, suite: str) -> NDArray[np.uint8]:
    """
    @return: the SRTP packets of one source, a row each.
    """
    from siprec.media.libsrtp import CryptoSession

    session = CryptoSession(suite, bytes(SUITES[suite].keyOctets), inbound=False)
    head = struct.Struct(">BBHII")
    packets = [
        session.protect(head.pack(0x80, 0, turn & 0xFFFF, turn * 160, 7) + bytes(PAYLOAD - 12))
        for turn in range(count)
    ]
    return np.frombuffer(b"".join(packets), np.uint8).reshape(count, -1).copy()


class Streams:
    """
    What is sent now, laid out as C{sendmmsg} wants it.

    @ivar ports: of each stream.
    """

    def __init__(self, prepared: NDArray[np.uint8] | None = None) -> None:
        self.ports: NDArray[np.int64] = np.zeros(0, np.int64)
        self._turns: NDArray[np.int64] = np.zeros(0, np.int64)
        self._sources: NDArray[np.int64] = np.zeros(0, np.int64)
        self._prepared, self._next = prepared, 1
        self._audio = np.random.default_rng(1).integers(0, 256, PAYLOAD - 12)
        self._layOut()

    def change(self, add: Sequence[int], remove: Sequence[int]) -> None:
        """
        Begin streams, each from a new source, and end others.
        """
        stay = ~np.isin(self.ports, np.array(remove, np.int64))
        sources = np.arange(self._next, self._next + len(add))
        self._next += len(add)
        self.ports = np.concatenate([self.ports[stay], np.array(add, np.int64)])
        self._turns = np.concatenate([self._turns[stay], np.zeros(len(add), np.int64)])
        self._sources = np.concatenate([self._sources[stay], sources])
        self._layOut()

    def _layOut(self) -> None:
        count = len(self.ports)
        self._packets = np.zeros((count, PAYLOAD), np.uint8)
        self._packets[:, 0] = 0x80
        self._packets[:, 8:12] = self._sources.astype(">u4")[:, None].view(np.uint8)
        self._packets[:, 12:] = self._audio
        self._names = np.zeros((count, 16), np.uint8)
        self._names[:, :2] = np.frombuffer(struct.pack("=H", socket.AF_INET), np.uint8)
        self._names[:, 2:4] = self.ports.astype(">u2")[:, None].view(np.uint8)
        self._names[:, 4:8] = (127, 0, 0, 1)
        self._vectors = np.zeros((count, 2), np.uint64)
        self._vectors[:, 0] = self._packets.ctypes.data + PAYLOAD * np.arange(count)
        self._vectors[:, 1] = PAYLOAD if self._prepared is None else self._prepared.shape[1]
        self._messages = np.zeros((count, 8), np.uint64)
        self._messages[:, 0] = self._names.ctypes.data + 16 * np.arange(count)
        self._messages[:, 1] = 16
        self._messages[:, 2] = self._vectors.ctypes.data + 16 * np.arange(count)
        self._messages[:, 3] = 1

    def message(self, position: int) -> int:
        """
        @return: the address of a stream's message.
        """
        address: int = self._messages.ctypes.data + 64 * position
        return address

    def step(self, turn: int) -> None:
        """
        Make the next packet of each.

        @param turn: of the process, which counts where the packets were made beforehand.
        """
        if self._prepared is not None:
            # All streams have the same key and source here, so one packet is for all.
            row = turn % len(self._prepared) * self._prepared.shape[1]
            self._vectors[:, 0] = self._prepared.ctypes.data + row
            return
        self._packets[:, 2:4] = self._turns.astype(">u2")[:, None].view(np.uint8)
        self._packets[:, 4:8] = (160 * self._turns).astype(">u4")[:, None].view(np.uint8)
        self._turns += 1


class Orders:
    """
    What standard input says.
    """

    def __init__(self) -> None:
        self._rest, self._isOpen = b"", True

    def read(self, wait: bool = False) -> Iterator[dict[str, list[int]]]:
        """
        @param wait: until there is one.
        @return: what came since it was asked last.
        """
        while self._isOpen and (wait or select.select([0], (), (), 0)[0]):
            data = os.read(0, 1 << 20)
            self._isOpen = bool(data)
            *lines, self._rest = (self._rest + data).split(b"\n")
            wait = wait and not lines
            yield from map(json.loads, lines)


def send(rate: float, seconds: float, suite: str = "") -> None:
    """
    Send to each port C{rate} packets a second, evenly spread, and an RTCP packet to the one
    after it every five seconds.

    @param suite: protect all of it, made up beforehand, by this crypto suite.
    """
    # On a busy machine it is the first to be late, and then less is measured than is asked for.
    with suppress(PermissionError):
        os.nice(-10)
    prepared = protected(int(rate * seconds) + 2, suite) if suite else None
    streams, orders = Streams(prepared), Orders()
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    # A large one, or sendmmsg blocks now and then.
    out.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    sendmmsg = ctypes.CDLL(None, use_errno=True).sendmmsg
    sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
    for order in orders.read(wait=True):
        streams.change(order["add"], order["remove"])
    print("sending", flush=True)
    begin, turn = time.monotonic(), 0
    due = begin
    while time.monotonic() < begin + seconds:
        for order in orders.read():
            streams.change(order["add"], order["remove"])
        streams.step(turn)
        count = len(streams.ports)
        edges = [count * part // _PARTS for part in range(_PARTS + 1)]
        for part in range(_PARTS):
            at, to = edges[part], edges[part + 1]
            while at < to:
                done = sendmmsg(out.fileno(), streams.message(at), to - at, 0)
                if done < 0:
                    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
                at += done
            while count and due < time.monotonic() and prepared is None:
                out.sendto(_CONTROL, ("127.0.0.1", int(random.choice(streams.ports)) + 1))
                due += RTCP_SECONDS / count
            pause = begin + (turn + (part + 1) / _PARTS) / rate - time.monotonic()
            if pause > 0:
                time.sleep(pause)
        turn += 1


def startSender(
    ports: Sequence[int], rate: float, seconds: float, suite: str = ""
) -> subprocess.Popen[bytes]:
    """
    Start the process, and wait until it sends: its start may take longer than what is measured
    where the machine is busy.

    @return: the process, which whoever started it kills, and whose ports L{change} changes.
    """
    command = [sys.executable, os.path.abspath(__file__), "--rate", str(rate)]
    command += ["--seconds", str(seconds), "--suite", suite]
    sender: subprocess.Popen[bytes] = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    change(sender, ports, ())
    assert sender.stdout is not None
    sender.stdout.readline()
    return sender


def change(sender: subprocess.Popen[Any], add: Sequence[int], remove: Sequence[int]) -> None:
    """
    Tell a sender which streams begin and which end.
    """
    assert sender.stdin is not None
    order = {"add": list(add), "remove": list(remove)}
    sender.stdin.write(json.dumps(order).encode() + b"\n")
    sender.stdin.flush()


def main() -> None:
    """
    Send.
    """
    parser = argparse.ArgumentParser(description="Send RTP to the ports that are told.")
    parser.add_argument("--rate", type=float, default=50.0, help="packets a second and stream")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--suite", default="", help="SRTP by this crypto suite")
    options = parser.parse_args()
    send(options.rate, options.seconds, options.suite)


if __name__ == "__main__":
    main()
