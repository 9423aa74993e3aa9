"""
Tests for L{siprec.sip.asked}.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from attrs import define, field
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.asked import AskedSocket

_PKTINFO = 8
_V4 = (socket.IPPROTO_IP, _PKTINFO, bytes.fromhex("02000000c0000209c0000209"))
_MAPPED = (
    socket.IPPROTO_IPV6,
    socket.IPV6_PKTINFO,
    bytes.fromhex("00000000000000000000ffffc000020903000000"),
)
_V6 = (
    socket.IPPROTO_IPV6,
    socket.IPV6_PKTINFO,
    bytes.fromhex("20010db8000000000000000000000009" + "03000000"),
)
_OTHER = (socket.SOL_SOCKET, 29, bytes(16))


@define(eq=False)
class FakeSocket:
    """
    Stands for a UDP socket of the system.

    @ivar comes: what stands beside the next datagram.
    @ivar refusal: what sending fails with.
    """

    family: int
    comes: list[tuple[int, int, bytes]] = field(factory=list)
    refusal: int = 0
    options: list[tuple[int, int, int]] = field(factory=list)
    sent: list[tuple[Any, ...]] = field(factory=list)

    def setsockopt(self, level: int, name: int, value: int) -> None:
        """
        See L{socket.socket}.
        """
        self.options.append((level, name, value))

    def recvmsg(self, size: int, space: int) -> tuple[bytes, Any, int, Any]:
        """
        See L{socket.socket}.
        """
        return b"x"[:size], self.comes, 0, ("192.0.2.7", 5060)

    def sendmsg(self, *arguments: Any) -> None:
        """
        See L{socket.socket}.
        """
        if self.refusal:
            raise OSError(self.refusal, "the test says so")
        self.sent.append(arguments)


class AskedTests(SynchronousTestCase):
    """
    A socket that is bound to all addresses.
    """

    def asked(self, family: int = socket.AF_INET) -> tuple[AskedSocket, FakeSocket]:
        """
        @return: one, and what it stands for.
        """
        fake: Any = FakeSocket(family)
        return AskedSocket(fake), fake

    def test_local(self) -> None:
        """
        The address that the peer has used is known; an IPv4 one as such, also on
        a socket of IPv6.
        """
        for family, comes, local in (
            (socket.AF_INET, [_OTHER, _V4], "192.0.2.9"),
            (socket.AF_INET6, [_MAPPED], "192.0.2.9"),
            (socket.AF_INET6, [_V6], "2001:db8::9"),
            (socket.AF_INET, [(_V4[0], _V4[1], b"short")], ""),
            (socket.AF_INET6, [(_V6[0], _V6[1], b"short"), _OTHER], ""),
        ):
            asked, fake = self.asked(family)
            asked.local, fake.comes = "of the last one", comes
            self.assertEqual(asked.recvfrom(100), (b"x", ("192.0.2.7", 5060)))
            self.assertEqual(asked.local, local)

    def test_wanted(self) -> None:
        """
        The system is asked to tell.
        """
        self.assertEqual(self.asked()[1].options, [(socket.IPPROTO_IP, _PKTINFO, 1)])
        options = self.asked(socket.AF_INET6)[1].options
        self.assertEqual(options, [(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)])

    def test_send(self) -> None:
        """
        A datagram leaves from the address that is said, by whatever interface
        leads to the peer.
        """
        for family, local, beside in (
            (socket.AF_INET, "192.0.2.9", (*_V4[:2], bytes(4) + _V4[2][4:8] + bytes(4))),
            (socket.AF_INET6, "192.0.2.9", (*_MAPPED[:2], _MAPPED[2][:16] + bytes(4))),
            (socket.AF_INET6, "2001:db8::9", (*_V6[:2], _V6[2][:16] + bytes(4))),
        ):
            asked, fake = self.asked(family)
            self.assertTrue(asked.sendFrom(local, b"x", ("192.0.2.7", 5060)))
            self.assertEqual(fake.sent, [([b"x"], [beside], 0, ("192.0.2.7", 5060))])

    def test_notOurs(self) -> None:
        """
        An address that is not ours, as that of a node that is dead, is told from
        other errors.
        """
        asked, fake = self.asked()
        fake.refusal = errno.EINVAL
        self.assertFalse(asked.sendFrom("192.0.2.8", b"x", ("192.0.2.7", 5060)))
        fake.refusal = errno.EAGAIN
        self.assertRaises(OSError, asked.sendFrom, "192.0.2.8", b"x", ("192.0.2.7", 5060))

    def test_rest(self) -> None:
        """
        Everything else is the socket's own.
        """
        asked, fake = self.asked()
        self.assertEqual(asked.family, fake.family)
        asked.setsockopt(1, 2, 3)
        self.assertIn((1, 2, 3), fake.options)
