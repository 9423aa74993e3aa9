"""
Tests of L{siprec.media.opening}.
"""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from siprec.media.batch import Held, Receiver
from siprec.media.keys import MasterKey
from siprec.media.libsrtp import CryptoSession
from siprec.media.opening import openControl, openRun
from siprec.media.srtp import Protection
from tests.media.reference import protect, rtp
from tests.media.test_libsrtp import SENDER_REPORT, keyOf

GCM = "AEAD_AES_128_GCM"
ONE, TWO = MasterKey(GCM, keyOf(GCM)), MasterKey(GCM, keyOf(GCM, 50))


def closed(index: int, key: MasterKey = ONE, octets: int = 160) -> bytes:
    """
    @return: an SRTP packet.
    """
    return protect(key.suite, key.key, rtp(index, payload=bytes(octets)), index >> 16)


class OpenRunTests(SynchronousTestCase):
    """
    L{openRun}, with AES-GCM, which spoils what it cannot open.
    """

    def setUp(self) -> None:
        self.receiver = Receiver(64, slotSize=512, overflow=1024)
        # Slots that are another stream's.
        self.receiver.place(1, b"other")
        self.receiver.place(1, b"other")

    def run_(self, protection: Protection, *packets: bytes) -> tuple[list[int], list[bytes]]:
        """
        @return: which of the packets stayed closed, and what is in all their slots.
        """
        first = self.receiver.used
        for packet in packets:
            self.receiver.place(2, packet)
        failed = openRun(self.receiver, protection, first, len(packets))
        slots = range(first, self.receiver.used)
        return [each - first for each in failed], [self.receiver.read(each) for each in slots]

    def test_E8_batch(self) -> None:
        """
        All are opened where they lie; the lengths are those of the packets now.
        """
        protection = Protection((ONE,))
        failed, found = self.run_(protection, closed(1), closed(2), closed(0x7FFF))
        self.assertEqual((failed, found), ([], [rtp(1), rtp(2), rtp(0x7FFF)]))
        self.assertEqual(protection.indexes(), {7: 0x7FFF})
        self.assertEqual(self.receiver.batch().wire.tolist(), [5, 5, 172, 172, 172])

    def test_E8_some(self) -> None:
        """
        What is forged or replayed is told, and counted, and harms no other.
        """
        protection = Protection((ONE,))
        failed, found = self.run_(protection, closed(1), closed(2, TWO), closed(1), closed(3))
        self.assertEqual((failed, found[0], found[3]), ([1, 2], rtp(1), rtp(3)))
        self.assertEqual((protection.unauthenticated, protection.replayed), (1, 1))
        self.assertEqual(protection.indexes(), {7: 3})

    def test_E8_none(self) -> None:
        """
        With a wrong key nothing is left.
        """
        protection = Protection((TWO,))
        failed, _ = self.run_(protection, closed(1), closed(2))
        self.assertEqual((failed, protection.unauthenticated), ([0, 1], 2))
        self.assertEqual(protection.indexes(), {})

    def test_E8_rekeyed(self) -> None:
        """
        Packets of the key before are opened although the new one has been tried on them.
        """
        protection = Protection((TWO, evolve(ONE, until=2e9)))
        failed, found = self.run_(protection, closed(1), closed(2, TWO), closed(3), b"noise" * 9)
        self.assertEqual((failed, found[:3]), ([3], [rtp(1), rtp(2), rtp(3)]))

    def test_E8_takeover(self) -> None:
        """
        The first packet finds the counter, and the rest of the batch follows.
        """
        protection = Protection((ONE,), {7: 2 << 16}, 5)
        indexes = [3 << 16 | each for each in (7, 8, 9)]
        failed, found = self.run_(protection, *map(closed, indexes))
        self.assertEqual((failed, found), ([], [rtp(each) for each in indexes]))
        self.assertEqual(self.run_(protection, closed(3 << 16 | 10))[0], [])
        self.assertEqual(protection.indexes(), {7: 3 << 16 | 10})

    def test_large(self) -> None:
        """
        A packet that is longer than a slot is opened too.
        """
        packet = rtp(2, payload=bytes(900))
        failed, found = self.run_(Protection((ONE,)), closed(1), closed(2, octets=900), closed(3))
        self.assertEqual((failed, found), ([], [rtp(1), packet, rtp(3)]))

    def test_E1_multiplexed(self) -> None:
        """
        RTCP at the RTP port (RFC 5761) is opened as such.
        """
        sender = CryptoSession(GCM, ONE.key, inbound=False)
        control = sender.protect(SENDER_REPORT, control=True)
        failed, found = self.run_(Protection((ONE,)), closed(1), control, closed(2), b"")
        self.assertEqual((failed, found[:3]), ([3], [rtp(1), SENDER_REPORT, rtp(2)]))

    def test_noKeys(self) -> None:
        """
        Without keys nothing is opened.
        """
        self.assertEqual(self.run_(Protection(()), closed(1))[0], [0])


class OpenControlTests(SynchronousTestCase):
    """
    L{openControl}.
    """

    def test_E8_control(self) -> None:
        """
        What can be opened is, with the time at which it came; the rest is left out.
        """
        protection = Protection((ONE,))
        packet = CryptoSession(GCM, ONE.key, inbound=False).protect(SENDER_REPORT, control=True)
        taken = [Held(5, packet, 0, len(packet)), Held(6, packet, 0, len(packet))]
        taken.append(Held(7, b"noise", 1, 5))
        size = len(SENDER_REPORT)
        self.assertEqual(openControl(protection, taken), [Held(5, SENDER_REPORT, 0, size)])
        self.assertEqual((protection.replayed, protection.unauthenticated), (1, 1))
