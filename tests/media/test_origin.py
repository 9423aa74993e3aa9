"""
Tests of L{siprec.media.origin}.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from siprec.media.origin import (
    ANYBODY,
    CLOSED,
    NAME,
    OPEN,
    Expected,
    Key,
    hostOf,
    keyOf,
    keysOf,
    maskOf,
    nameOf,
    strangers,
)

_FOUR, _SIX = socket.AF_INET, socket.AF_INET6


def asKernel(sock: socket.socket, host: str, port: int) -> tuple[int, int, int, int]:
    """
    @return: the words of an address as C{recvmsg} would write them.
    """
    family = sock.family
    head = struct.pack("=H", family) + struct.pack(">H", port)
    if family == _FOUR:
        octets = head + socket.inet_pton(_FOUR, host)
    else:
        octets = head + b"\1\2\3\4" + socket.inet_pton(_SIX, host) + b"\5\0\0\0"
    words = struct.unpack("=qqqq", octets.ljust(32, b"\0"))
    return words[0], words[1], words[2], words[3]


class AddressTests(SynchronousTestCase):
    """
    Addresses as words and as text.
    """

    def key(self, host: str, family: int) -> Key:
        """
        @return: the words of an address that there is.
        """
        found = keyOf(host, family)
        assert found is not None
        return found

    def test_E11_there(self) -> None:
        """
        An address is the same whatever port, flow and scope a packet has.
        """
        for host, family in (("192.0.2.7", _FOUR), ("2001:db8::7", _SIX), ("fe80::1", _SIX)):
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                rows = [asKernel(sock, host, 1), asKernel(sock, host, 65535)]
            names = np.array(rows, NAME)
            self.assertEqual(keysOf(names), [self.key(host, family)] * 2)
            self.assertEqual(hostOf(self.key(host, family)), host)
            self.assertEqual(keysOf(np.array([nameOf(host, family)], NAME)), keysOf(names)[:1])

    def test_E11_mapped(self) -> None:
        """
        IPv4 at a socket for IPv6, and IPv4 in mapped form, are the address that they
        stand for.
        """
        mapped = self.key("::ffff:192.0.2.7", _SIX)
        self.assertEqual(self.key("192.0.2.7", _SIX), mapped)
        self.assertEqual(hostOf(mapped), "192.0.2.7")
        self.assertEqual(self.key("::ffff:192.0.2.7", _FOUR), self.key("192.0.2.7", _FOUR))

    def test_E11_nobody(self) -> None:
        """
        A name, a null address, a group and an IPv6 address at a socket for IPv4 are
        nobody's; so is nothing at all.
        """
        for host in ("", "sbc.example.com", "0.0.0.0", "::", "224.0.0.1", "ff02::1"):
            for family in (_FOUR, _SIX):
                self.assertIsNone(keyOf(host, family), host)
                self.assertFalse(Expected("latch", host).named)
        self.assertIsNone(keyOf("2001:db8::7", _FOUR))
        self.assertTrue(Expected("sdp", "2001:db8::7").named)
        self.assertEqual(nameOf("", _FOUR), (0, 0, 0, 0))
        self.assertFalse(ANYBODY.named)


class StrangersTests(SynchronousTestCase):
    """
    L{strangers}: many packets at once.
    """

    def found(
        self, packets: Sequence[tuple[str, int]], counts: list[int], runs: list[tuple[int, Key]]
    ) -> list[int]:
        """
        @param packets: address and family of each.
        @param runs: mask and address of who is expected.
        @return: which of the packets come from others.
        """
        names = np.array([nameOf(*each) for each in packets], NAME)
        fields = [(name, np.int64) for name in ("mask", "head", "high", "low")]
        cells = np.array([(mask, *key) for mask, key in runs], fields)
        rows = np.arange(len(runs))
        result = strangers(names, np.array(counts), rows, cells)
        return [] if result is None else np.flatnonzero(result).tolist()

    def expecting(self, host: str, family: int) -> tuple[int, Key]:
        """
        @return: mask and address.
        """
        key = keyOf(host, family)
        assert key is not None
        return maskOf(key), key

    def test_E11_found(self) -> None:
        """
        Each run of packets is compared with whom it expects, of both families beside one
        another; one takes all, another none.
        """
        one, other = ("192.0.2.7", _FOUR), ("192.0.2.8", _FOUR)
        # They differ in one half each.
        six, near, far = (
            ("2001:db8::7", _SIX),
            ("2001:db8::8", _SIX),
            ("2001:db8:1::7", _SIX),
        )
        packets = [one, other, one, six, near, far, six, one, other, six, one]
        runs = [self.expecting(*one), self.expecting(*six), OPEN, CLOSED]
        self.assertEqual(self.found(packets, [3, 4, 3, 1], runs), [1, 4, 5, 10])
        self.assertEqual(self.found([six], [1], [CLOSED]), [0])

    def test_E11_none(self) -> None:
        """
        Where all is as expected, and where nobody expects anything, there are none.
        """
        one = ("192.0.2.7", _FOUR)
        self.assertEqual(self.found([one, one], [2], [self.expecting(*one)]), [])
        self.assertEqual(self.found([one, one], [2], [OPEN]), [])
