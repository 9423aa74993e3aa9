"""
C{python -m tests.functional.replay HOST PORT FILE}: send a file of A-law to a
port, a packet each 20 ms, as sipp does with its first stream.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from siprec.testing.rtp import MediaSockets, RTPSender
from siprec.testing.wire import RTPStream, packetize


def main(reactor: Any, host: str, port: str, path: str) -> Deferred[None]:
    """
    Send all of it.
    """
    with open(path, "rb") as file:
        payload = file.read()
    sockets = MediaSockets.open("127.0.0.1")

    def send(packet: bytes) -> bool:
        sockets.sendMedia(packet, (host, int(port)))
        return True

    packets = RTPStream(ssrc=0x2222, payloadType=8).packets(packetize(payload))
    return RTPSender(reactor, send, packets).start()


if __name__ == "__main__":
    react(main, sys.argv[1:])
