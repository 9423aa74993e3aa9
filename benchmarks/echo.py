"""
The least that answering calls can cost in Twisted: a DatagramProtocol that sends 200 to each
INVITE and BYE, with the lines of the request that a response repeats, and does nothing else.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.protocol import DatagramProtocol

__all__ = ["startEcho"]

reactor: Any = _reactor

_REPEATED = re.compile(rb"(?:Via|From|To|Call-ID|CSeq): [^\r]*\r\n")


class Echo(DatagramProtocol):
    """
    Answers.
    """

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """
        Answer what is no ACK.
        """
        if not datagram.startswith(b"ACK "):
            lines = b"".join(_REPEATED.findall(datagram))
            answer = b"SIP/2.0 200 OK\r\n" + lines + b"Content-Length: 0\r\n\r\n"
            assert self.transport is not None
            self.transport.write(answer, addr)


def startEcho(port: int) -> subprocess.Popen[str]:
    """
    Start it as a process of its own, and wait until it listens.
    """
    command = [sys.executable, os.path.abspath(__file__), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def main() -> None:
    """
    Be that process.
    """
    parser = argparse.ArgumentParser(description="Answer calls, and do nothing else.")
    parser.add_argument("port", type=int)
    options = parser.parse_args()
    reactor.listenUDP(options.port, Echo(), "127.0.0.1", maxPacketSize=65535)
    reactor.callWhenRunning(print, "listening", flush=True)
    reactor.run()


if __name__ == "__main__":
    main()
