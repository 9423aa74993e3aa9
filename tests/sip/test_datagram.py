"""
Tests for L{siprec.sip.datagram}.
"""

import errno
import socket
from collections import Counter

from twisted.internet.interfaces import IListeningPort, IUDPTransport
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.sip.datagram import (
    DatagramListener,
    FacingAddresses,
    RecentInvites,
    facingAddress,
    isWildcard,
)
from siprec.sip.errors import BadMessage
from siprec.sip.flow import Flow
from siprec.sip.framing import parseDatagram
from siprec.sip.interfaces import FlowGone, IMessageReceiver
from tests.sip.sockets import MemoryDatagramPort, Receiver, wire


class FacingTests(SynchronousTestCase):
    """
    Which of our addresses a peer sees.
    """

    def test_loopback(self) -> None:
        """
        To the loopback address we send from it; where there is no way, that is said.
        """
        self.assertEqual(facingAddress("127.0.0.1"), "127.0.0.1")
        # A link-local address without its link leads nowhere.
        self.assertIsNone(facingAddress("fe80::1"))

    def test_wildcards(self) -> None:
        """
        These stand for all addresses.
        """
        self.assertTrue(isWildcard("0.0.0.0") and isWildcard("::") and isWildcard(""))
        self.assertFalse(isWildcard("127.0.0.1"))

    def test_remembered(self) -> None:
        """
        The kernel is asked once for a peer, and again after a while, since
        addresses move.
        """
        clock, asked = Clock(), []

        def ask(host: str) -> str | None:
            asked.append(host)
            return "192.0.2.1"

        known = FacingAddresses(clock.seconds, ask)
        for _ in range(3):
            self.assertEqual(known.get("192.0.2.7"), "192.0.2.1")
        self.assertEqual(asked, ["192.0.2.7"])
        clock.advance(30)
        known.get("192.0.2.7")
        self.assertEqual(len(asked), 2)

    def test_bounded(self) -> None:
        """
        However many peers there are, only so many are remembered.
        """
        known = FacingAddresses(Clock().seconds, lambda host: None, limit=2)
        for n in range(9):
            known.get(f"192.0.2.{n}")
        self.assertLessEqual(len(known._known), 2)


class RecentInvitesTests(SynchronousTestCase):
    """
    An INVITE that comes again is known.
    """

    def test_again(self) -> None:
        """
        The same datagram is the same message, which need not be parsed once more; one
        that differs in an octet is another.
        """
        recent = RecentInvites()
        first = recent.parse(wire("INVITE"))
        self.assertEqual(first, parseDatagram(wire("INVITE")))
        self.assertIs(recent.parse(wire("INVITE")), first)
        self.assertIsNot(recent.parse(wire("INVITE") + b" "), first)

    def test_others(self) -> None:
        """
        What is no INVITE, is bad, or very long is not remembered.
        """
        recent = RecentInvites(longest=len(wire("INVITE")))
        self.assertIsNot(recent.parse(wire("BYE")), recent.parse(wire("BYE")))
        self.assertIsNone(recent.parse(b"\r\n\r\n"))
        for _ in range(2):
            self.assertRaises(BadMessage, recent.parse, b"INVITE sip:a SIP/2.0\r\n\r\n")
        self.assertEqual(recent.parse(wire("INVITE") + b" "), recent.parse(wire("INVITE") + b" "))
        self.assertEqual(list(recent._known), [])

    def test_bounded(self) -> None:
        """
        The oldest are forgotten.
        """
        recent = RecentInvites(limit=2)
        every = [wire("INVITE") + b" " * number for number in range(3)]
        found = [recent.parse(each) for each in every]
        self.assertEqual(list(recent._known.values()), found[1:])
        self.assertIsNot(recent.parse(every[0]), found[0])


class ListenerTests(SynchronousTestCase):
    """
    One UDP socket.
    """

    def listen(self, interface: str = "192.0.2.9") -> DatagramListener:
        """
        @return: a listener, bound to this address.
        """
        self.receiver = Receiver()
        self.counters: Counter[str] = Counter()
        facing = FacingAddresses(
            Clock().seconds, lambda host: None if host == "::2" else "10.0.0.1"
        )
        listener = DatagramListener(self.receiver, facing, self.counters)
        self.port = MemoryDatagramPort(5060, listener, interface, 65535)
        self.port.startListening()
        return listener

    def test_fakes(self) -> None:
        """
        The fakes provide what they stand for.
        """
        self.listen()
        verifyObject(IListeningPort, self.port)
        verifyObject(IUDPTransport, self.port)
        verifyObject(IMessageReceiver, self.receiver)
        self.assertFalse(self.port.getBroadcastAllowed())

    def test_message(self) -> None:
        """
        A message goes to the receiver, with the flow it came by.
        """
        self.listen().datagramReceived(wire(), ("192.0.2.7", 5061))
        ((message, flow),) = self.receiver.messages
        self.assertEqual(message.cseq.method, "OPTIONS")
        self.assertEqual(flow, Flow("UDP", ("192.0.2.9", 5060), ("192.0.2.7", 5061)))

    def test_bad(self) -> None:
        """
        A bad message goes to the receiver as such.
        """
        self.listen().datagramReceived(b"nonsense\r\n\r\n", ("192.0.2.7", 5061))
        ((_, flow),) = self.receiver.bad
        self.assertEqual(flow.remote, ("192.0.2.7", 5061))

    def test_D2_keepalives(self) -> None:
        """
        Empty lines and zeros are counted and ignored.
        """
        listener = self.listen()
        for data in (b"\r\n\r\n", b"\0\0\0\0"):
            listener.datagramReceived(data, ("192.0.2.7", 5061))
        self.assertEqual(self.counters, {"keepalives": 2})
        self.assertEqual((self.receiver.messages, self.receiver.bad), ([], []))

    def test_D2_stun(self) -> None:
        """
        STUN is answered with the address that it came from; what is damaged is
        counted and dropped, and an indication is only counted.
        """
        listener = self.listen()
        asked = bytes.fromhex("000100002112a442") + bytes(12)
        told = bytes.fromhex("001100002112a442") + bytes(12)
        for data in (asked, told, b"\0\x01\0\0", asked[:-1]):
            listener.datagramReceived(data, ("192.0.2.7", 5061))
        self.assertEqual(self.counters, {"stun": 2, "badStun": 2})
        [(answer, remote)] = self.port.sent
        self.assertEqual((answer[:2], remote), (b"\x01\x01", ("192.0.2.7", 5061)))
        self.assertEqual((self.receiver.messages, self.receiver.bad), ([], []))

    def test_wildcard(self) -> None:
        """
        On the wildcard the flow has the address that faces the peer, if there
        is one.
        """
        listener = self.listen("::")
        listener.datagramReceived(wire(), ("2001:db8::7", 5060))
        listener.datagramReceived(wire(), ("::2", 5060))
        locals = [flow.local for _, flow in self.receiver.messages]
        self.assertEqual(locals, [("10.0.0.1", 5060), ("::", 5060)])

    def test_mappedAddress(self) -> None:
        """
        An IPv4 peer of an IPv6 socket is known by its IPv4 address, and sent
        to as the socket wants it.
        """
        listener = self.listen("::")
        listener.datagramReceived(wire(), ("::ffff:192.0.2.7", 5060))
        ((_, flow),) = self.receiver.messages
        self.assertEqual(flow.remote, ("192.0.2.7", 5060))
        listener.send(b"x", flow.remote)
        self.assertEqual(self.port.sent, [(b"x", ("::ffff:192.0.2.7", 5060))])

    def test_reaches(self) -> None:
        """
        A socket reaches the peers of its family; the IPv6 wildcard all.
        """
        for interface, reached in (
            ("192.0.2.9", "4"),
            ("::1", "6"),
            ("::", "46"),
            ("0.0.0.0", "4"),
        ):
            listener = self.listen(interface)
            self.assertEqual(listener.reaches("192.0.2.7"), "4" in reached)
            self.assertEqual(listener.reaches("2001:db8::7"), "6" in reached)

    def test_refused(self) -> None:
        """
        What the network refuses to send is an error that says so.
        """
        listener = self.listen()
        self.assertRaises(FlowGone, listener.send, b"x" * 65508, ("192.0.2.7", 5060))
        self.port.error = OSError(errno.ENETUNREACH, "unreachable")
        error = self.assertRaises(FlowGone, listener.send, b"x", ("192.0.2.7", 5060))
        self.assertIn("unreachable", str(error))

    def test_busy(self) -> None:
        """
        A datagram for which there is no room is lost like any other: counted,
        and for a timer to repeat.
        """
        listener = self.listen()
        self.port.error = OSError(errno.EAGAIN, "busy")
        listener.send(b"x", ("192.0.2.7", 5060))
        self.assertEqual(self.counters, {"sendBufferFull": 1})

    def test_closed(self) -> None:
        """
        By a closed socket nothing can be sent.
        """
        listener = self.listen()
        self.port.stopListening()
        self.assertRaises(FlowGone, listener.send, b"x", ("192.0.2.7", 5060))

    def test_receiveBuffer(self) -> None:
        """
        The socket has room for a burst of INVITEs.
        """
        self.listen()
        ((level, name, size),) = self.port.handle.options
        self.assertEqual((level, name), (socket.SOL_SOCKET, socket.SO_RCVBUF))
        self.assertGreaterEqual(size, 1 << 20)
