"""
rtpengine as Debian has it, in user space and recording: a process of its own that is told of
calls by its control protocol (C{ng}: bencoded dictionaries over UDP).

It does more than a recorder: each packet of a leg is sent on to the other one.  And it does
less: what comes is written as pcap by whoever received it, one file for both legs of a call,
and it has no SIP.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import closing
from itertools import count
from typing import Any

from benchmarks.caller import HOST
from benchmarks.nodes import cpuSeconds, freePort
from benchmarks.sender import PAYLOAD

__all__ = ["LEGS", "PROGRAM", "Rtpengine", "bencode", "isInstalled", "mediaPort"]

PROGRAM = "rtpengine"

#: Streams of a call.
LEGS = 2

_PATIENCE = 10.0  # seconds for an answer

#: Of a packet in a pcap file: the file's own header of it, IP and UDP.
_RECORDED = 16 + 20 + 8 + PAYLOAD
_PORT = re.compile(rb"m=audio (\d+) ")
_SDP = (
    "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
)


def isInstalled() -> bool:
    """
    Whether there is a program to measure.
    """
    return shutil.which(PROGRAM) is not None


def bencode(value: str | list[str] | Mapping[str, Any]) -> bytes:
    """
    @return: the value as the control protocol has it.
    """
    if isinstance(value, str):
        data = value.encode()
        return b"%d:%b" % (len(data), data)
    if isinstance(value, Mapping):
        parts = (bencode(each) for key in sorted(value) for each in (key, value[key]))
        return b"d%be" % b"".join(parts)
    return b"l%be" % b"".join(map(bencode, value))


def mediaPort(answer: bytes) -> int:
    """
    @param answer: to an offer or to an answer.
    @return: the port for RTP in the description that it has.
    @raise ValueError: there is none: it was refused.
    """
    found = _PORT.search(answer)
    if found is None:
        raise ValueError(f"{PROGRAM}: {answer[:200]!r}")
    return int(found[1])


class Rtpengine:
    """
    The process.
    """

    def __init__(self, directory: str) -> None:
        """
        @param directory: where it may write.
        @raise OSError: it does not start, or does not answer.
        """
        self._directory, control = directory, freePort()
        command = [PROGRAM, "--config-file=none", "--foreground", "--log-stderr", "--log-level=3"]
        # Not in the kernel, and nothing that only hosts with its module have.
        command += ["--table=-1", f"--interface={HOST}", f"--listen-ng={HOST}:{control}"]
        command += ["--port-min=20000", "--port-max=65000", f"--recording-dir={directory}"]
        command += ["--recording-method=pcap", "--recording-format=raw"]
        with open(f"{directory}/log", "wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._numbers = count()
        # What it sends on comes here, and is thrown away by the system: nobody reads it.
        self._sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        self._sink.bind((HOST, 0))
        self._link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._link.connect((HOST, control))
        try:
            self._ask({"command": "ping"})
        except OSError:
            self.stop()
            raise

    def call(self) -> list[int]:
        """
        Begin a call that is recorded.

        @return: its ports, one for each of its L{LEGS}.
        @raise OSError: no answer.
        @raise ValueError: it was refused.
        """
        name = f"call{next(self._numbers)}"
        sdp = _SDP.format(host=HOST, port=self._sink.getsockname()[1])
        common: dict[str, Any] = {"call-id": name, "from-tag": "a", "sdp": sdp, "ICE": "remove"}
        # What comes does not come from where the description says, and must not go there.
        common |= {"record call": "yes", "flags": ["asymmetric"]}
        answers = [
            self._ask({**common, "command": "offer"}),
            self._ask({**common, "command": "answer", "to-tag": "b"}),
        ]
        return [mediaPort(each) for each in answers]

    def _ask(self, request: Mapping[str, Any]) -> bytes:
        cookie, until = b"%d " % next(self._numbers), time.monotonic() + _PATIENCE
        self._link.settimeout(1.0)
        while time.monotonic() < until:
            try:
                self._link.send(cookie + bencode(request))
                while not (answer := self._link.recv(65535)).startswith(cookie):
                    pass
                return answer
            except ConnectionRefusedError:
                time.sleep(0.05)  # it is not listening yet
            except TimeoutError:
                pass  # it is busy: once more, which it knows by the cookie
        raise TimeoutError(f"{PROGRAM} does not answer")

    @property
    def cpu(self) -> float:
        """
        CPU time of the process and its threads so far, in seconds.
        """
        return cpuSeconds(self._process.pid)

    @property
    def packets(self) -> int:
        """
        How many packets were written; about, as a part of one may be.
        """
        with os.scandir(f"{self._directory}/pcaps") as files:
            return sum(each.stat().st_size for each in files) // _RECORDED

    def stop(self) -> None:
        """
        End it.
        """
        with closing(self._sink), closing(self._link):
            self._process.kill()
            self._process.wait()
