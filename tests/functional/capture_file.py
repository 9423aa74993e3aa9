"""
The G.711 capture that comes with sipp.
"""

from __future__ import annotations

import struct

#: A-law, 236 packets of 30 ms.
CAPTURE = "/usr/share/sip-tester/g711a.pcap"


def payload(path: str = CAPTURE) -> bytes:
    """
    @return: the encoded audio of a pcap file of one RTP stream over IPv4.
    """
    with open(path, "rb") as file:
        data = file.read()
    order = "<" if data[:4] == b"\xd4\xc3\xb2\xa1" else ">"
    audio, position = b"", 24
    while position < len(data):
        (length,) = struct.unpack_from(order + "8xL", data, position)
        frame = data[position + 16 : position + 16 + length]
        internet = frame[14:]  # after the Ethernet header
        datagram = internet[(internet[0] & 15) * 4 :]
        (end,) = struct.unpack_from("!H", datagram, 4)
        audio += datagram[8 + 12 : end]
        position += 16 + length
    return audio
