"""
Tests of L{siprec.media.libsrtp}, against test vectors and against another implementation.
"""

import struct

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from siprec.media.keys import SUITES
from siprec.media.libsrtp import (
    AVAILABLE,
    MOST_OCTETS,
    REPLAYED,
    CryptoSession,
    UnknownSuite,
    widen,
)
from tests.media import reference
from tests.media.reference import rtp

# RFC 3711 appendix B.3.
MASTER = bytes.fromhex("e1f97a0d3e018be0d64fa32c06de4139")
SALT = bytes.fromhex("0ec675ad498afeebb6960b3aabe6")

SENDER_REPORT = struct.pack(">BBHI", 0x80, 200, 6, 7) + bytes(20)


def keyOf(suite: str, first: int = 0) -> bytes:
    """
    @return: a key of the right length.
    """
    return bytes((first + each) & 0xFF for each in range(SUITES[suite].keyOctets))


class VectorTests(SynchronousTestCase):
    """
    What the standards say, bit by bit.
    """

    def test_E8_derivation(self) -> None:
        """
        The reference derives the session keys of RFC 3711 appendix B.3.
        """
        cipher = "c61e7a93744f39ee10734afe3ff7a087"
        auth = "cebe321f6ff7716b6fd4ab49af256a156d38baa4"
        salt = "30cbbc08863d8c85d49db34a9ae1"
        self.assertEqual(reference.derive(MASTER, SALT, 0, 16).hex(), cipher)
        self.assertEqual(reference.derive(MASTER, SALT, 1, 20).hex(), auth)
        self.assertEqual(reference.derive(MASTER, SALT, 2, 14).hex(), salt)

    def test_E8_keystream(self) -> None:
        """
        The reference makes the keystream of RFC 3711 appendix B.2.
        """
        key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
        begin = bytes.fromhex("f0f1f2f3f4f5f6f7f8f9fafbfcfd0000")
        stream = reference.counterMode(key, begin, bytes(32)).hex()
        self.assertEqual(stream, "e03ead0935c95e80e166b16dd92b4eb4d23513162b02d0f72a43a2fe4a5f97ab")

    def test_E8_sealed(self) -> None:
        """
        The reference makes the packet of RFC 7714 section 16.1.1.
        """
        packet = bytes.fromhex(
            "8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e697320646976"
            "69736120696e207061727465732074726573"
        )
        wanted = (
            "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd5"
            "0d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce"
        )
        found = reference.sealed(bytes(range(16)), b"Quid pro quo", packet, 0)
        self.assertEqual(found.hex(), wanted)

    def test_E8_packet(self) -> None:
        """
        The library makes of the master key of RFC 3711 appendix B.3 the packet that is
        published for it.
        """
        packet = bytes.fromhex("800f1234decafbadcafebabe") + b"\xab" * 16
        session = CryptoSession("AES_CM_128_HMAC_SHA1_80", MASTER + SALT, inbound=False)
        wanted = "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb"
        self.assertEqual(session.protect(packet).hex(), wanted)


class SessionTests(SynchronousTestCase):
    """
    Every suite, both ways.
    """

    def test_E8_suites(self) -> None:
        """
        All suites are there, and open what the reference has protected.
        """
        self.assertEqual(AVAILABLE, tuple(SUITES))
        for suite in SUITES:
            session = CryptoSession(suite, keyOf(suite))
            for sequence in (1, 2, 0x7FFF):
                packet = rtp(sequence, payload=b"speech" * 20)
                closed = reference.protect(suite, keyOf(suite), packet)
                self.assertEqual(session.open(closed), (0, packet), suite)
            # No wrap has been missed between.
            self.assertEqual(
                session.open(reference.protect(suite, keyOf(suite), rtp(0xFFF0)))[0], 0
            )
            closed = reference.protect(suite, keyOf(suite), rtp(3), 1)
            self.assertEqual(session.open(closed), (0, rtp(3)))

    def test_E8_control(self) -> None:
        """
        RTCP is opened too; its tag has 80 bits whatever the suite says of RTP.
        """
        for suite in SUITES:
            sender = CryptoSession(suite, keyOf(suite), inbound=False)
            closed = sender.protect(SENDER_REPORT, control=True)
            if not SUITES[suite].sealed:
                wanted = reference.protectControl(suite, keyOf(suite), SENDER_REPORT, 1)
                self.assertEqual(closed, wanted, suite)
            session = CryptoSession(suite, keyOf(suite))
            self.assertEqual(session.open(closed, control=True), (0, SENDER_REPORT))

    def test_E8_inPlace(self) -> None:
        """
        Many packets are opened where they lie; one that is replayed tells so.
        """
        suite = "AEAD_AES_128_GCM"
        closed = [reference.protect(suite, keyOf(suite), rtp(each)) for each in (1, 2, 2, 3)]
        memory = np.zeros((4, 256), np.uint8)
        lengths = np.array([len(each) for each in closed], np.uint32)
        for row, packet in enumerate(closed):
            memory[row, : len(packet)] = np.frombuffer(packet, np.uint8)
        session = CryptoSession(suite, keyOf(suite))
        statuses = session.openAll(
            (memory.ctypes.data + 256 * np.arange(4)).tolist(),
            (lengths.ctypes.data + 4 * np.arange(4)).tolist(),
        )
        self.assertEqual(statuses, [0, 0, REPLAYED, 0])
        for row, sequence in ((0, 1), (1, 2), (3, 3)):
            self.assertEqual(memory[row, : lengths[row]].tobytes(), rtp(sequence))

    def test_E8_wrong(self) -> None:
        """
        Another key, and what is no packet at all, give a status and no data.
        """
        suite = "AES_CM_128_HMAC_SHA1_80"
        session = CryptoSession(suite, keyOf(suite))
        closed = reference.protect(suite, keyOf(suite, 1), rtp(1))
        for packet in (closed, b"", b"\x80", bytes(500), bytes(MOST_OCTETS + 1)):
            for control in (False, True):
                status, data = session.open(packet, control)
                self.assertNotEqual(status, 0)
                self.assertEqual(data, b"")

    def test_notTaken(self) -> None:
        """
        What the library does not protect is an error.
        """
        session = CryptoSession("AEAD_AES_128_GCM", keyOf("AEAD_AES_128_GCM"), inbound=False)
        self.assertRaises(ValueError, session.protect, b"")

    def test_unknownSuite(self) -> None:
        """
        A suite that is not known, and a key of another length, are refused; the key is
        not in the error.
        """
        self.assertRaises(UnknownSuite, CryptoSession, "F8_128_HMAC_SHA1_80", bytes(30))
        key = b"k" * 29
        error = self.assertRaises(UnknownSuite, CryptoSession, "AES_CM_128_HMAC_SHA1_80", key)
        self.assertNotIn("kkk", repr(error))

    def test_notToBeMade(self) -> None:
        """
        What the library itself refuses is told in the same way.
        """
        suite = "AEAD_AES_128_GCM"
        self.assertRaises(UnknownSuite, CryptoSession, suite, keyOf(suite), window=1 << 15)

    def test_otherLibrary(self) -> None:
        """
        Where a policy is not laid out as it should be, it is not changed.
        """
        fields = [1, 31, 3]
        self.assertRaises(UnknownSuite, widen, fields)
        self.assertEqual(fields, [1, 31, 3])
