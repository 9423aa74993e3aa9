"""
RTCP as octets (RFC 3550 section 6): what one sends who only receives, and what there is
to read in the reports of who sends.
"""

import base64
import hashlib
import struct
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from types import MappingProxyType

from attrs import field, frozen

from siprec.ids import randomOctets
from siprec.media.keys import MasterKey

__all__ = [
    "Destination",
    "ReportBlock",
    "SenderReport",
    "canonicalName",
    "goodbye",
    "newSource",
    "receiverReport",
    "senderReports",
    "sourceDescription",
]

_SENDER_REPORT, _RECEIVER_REPORT, _DESCRIPTION, _BYE = 200, 201, 202, 203
_CNAME = 1

_HEAD = struct.Struct(">BBHI")
_BLOCK = struct.Struct(">IIIIII")
_SENDER = struct.Struct(">BBHIQI")

#: The most that fit into one report, whose count has five bits.
_MOST_BLOCKS = 31

_LEAST_LOST, _MOST_LOST = -0x800000, 0x7FFFFF


@frozen
class Destination:
    """
    To whom to report on a stream.

    @ivar host: an IP literal; nothing is sent to a name.
    @ivar port: for RTCP.
    @ivar name: our canonical name.
    @ivar shared: whether it is the port for RTP as well, and so is ours (RFC 5761).
    @ivar key: our own key, where the stream is protected.
    @ivar bandwidth: octets a second that the reports may take; C{None}: as is usual.
    @ivar rates: the RTP clock of each payload type, in hertz; 0: its timestamps do not
        say when a packet was sent (RFC 4733 section 2.1).
    """

    host: str
    port: int
    name: str
    shared: bool = False
    key: MasterKey | None = field(default=None, repr=False)
    bandwidth: float | None = None
    rates: Mapping[int, int] = MappingProxyType({})

    @property
    def usable(self) -> bool:
        """
        Whether it is one single host.
        """
        try:
            address = ip_address(self.host)
        except ValueError:
            return False
        return not (address.is_multicast or address.is_unspecified)


@frozen
class ReportBlock:
    """
    What is said of one source (RFC 3550 section 6.4.1).

    @ivar fraction: of the packets since the last report, in 256ths; 0 to 255.
    @ivar lost: packets since the beginning; below 0: more came than were sent.
    @ivar highest: sequence number, and how often it has wrapped above its 16 bits.
    @ivar jitter: in units of the timestamp.
    @ivar lastReport: the middle 32 bits of the NTP time of the last sender report; 0:
        none has come.
    @ivar delay: since it came, in 65,536ths of a second.
    """

    ssrc: int
    fraction: int = 0
    lost: int = 0
    highest: int = 0
    jitter: int = 0
    lastReport: int = 0
    delay: int = 0

    def serialize(self) -> bytes:
        """
        @return: 24 octets; what is too large for its field becomes the largest.
        """
        lost = min(max(self.lost, _LEAST_LOST), _MOST_LOST) & 0xFFFFFF
        return _BLOCK.pack(
            self.ssrc,
            self.fraction << 24 | lost,
            self.highest & 0xFFFFFFFF,
            min(self.jitter, 0xFFFFFFFF),
            self.lastReport,
            min(max(self.delay, 0), 0xFFFFFFFF),
        )


@frozen
class SenderReport:
    """
    What a sender tells of itself (RFC 3550 section 6.4.1).

    @ivar ntp: when, as 64 bits of NTP.
    @ivar timestamp: that moment in its RTP clock.
    """

    ssrc: int
    ntp: int
    timestamp: int


def receiverReport(ssrc: int, blocks: Sequence[ReportBlock]) -> bytes:
    """
    A receiver report (RFC 3550 section 6.4.2), the first part of each compound packet.

    @param ssrc: our own.
    @param blocks: the first 31 of them are told.
    """
    blocks = blocks[:_MOST_BLOCKS]
    head = _HEAD.pack(0x80 | len(blocks), _RECEIVER_REPORT, 1 + 6 * len(blocks), ssrc)
    return head + b"".join(each.serialize() for each in blocks)


def sourceDescription(ssrc: int, name: str) -> bytes:
    """
    The SDES with the canonical name alone (RFC 3550 section 6.5.1), the second part.

    @param name: at most 255 octets of ASCII.
    """
    item = struct.pack(">BB", _CNAME, len(name)) + name.encode("ascii")
    # One zero octet at least ends the list, and the chunk is whole words.
    item += bytes(4 - len(item) % 4)
    return _HEAD.pack(0x81, _DESCRIPTION, 1 + len(item) // 4, ssrc) + item


def goodbye(ssrc: int) -> bytes:
    """
    The BYE (RFC 3550 section 6.6), the last part of the last packet.
    """
    return _HEAD.pack(0x81, _BYE, 1, ssrc)


def senderReports(packet: bytes) -> Iterator[SenderReport]:
    """
    @param packet: compound or not, of whatever peer.
    @return: the sender reports in it, as far as it can be read.
    """
    begin = 0
    while begin + 4 <= len(packet) and packet[begin] >> 6 == 2:
        end = begin + 4 + 4 * int.from_bytes(packet[begin + 2 : begin + 4], "big")
        if end > len(packet):
            return
        if packet[begin + 1] == _SENDER_REPORT and end - begin >= 28:
            _, _, _, ssrc, ntp, timestamp = _SENDER.unpack_from(packet, begin)
            yield SenderReport(ssrc, ntp, timestamp)
        begin = end


def canonicalName(seed: str) -> str:
    """
    A name of 96 bits that tells nothing of host or user (RFC 7022 section 4.2).

    @param seed: unique and not to be guessed; the same gives the same name in any process.
    """
    digest = hashlib.sha256(b"RTCP CNAME\0" + seed.encode("utf-8")).digest()
    return base64.b64encode(digest[:12]).decode("ascii")


def newSource() -> int:
    """
    @return: a random SSRC (RFC 3550 section 8.1).
    """
    return int.from_bytes(randomOctets(4), "big")
