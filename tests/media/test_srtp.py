"""
Tests of L{siprec.media.srtp}.
"""

from collections.abc import Sequence

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.media.keys import SUITES, MasterKey
from siprec.media.libsrtp import CryptoSession
from siprec.media.srtp import MOST_WRAPS, Protection, isControl
from tests.media.reference import protect, rtp
from tests.media.test_libsrtp import SENDER_REPORT, keyOf

SUITE = "AES_CM_128_HMAC_SHA1_80"
ONE, TWO = MasterKey(SUITE, keyOf(SUITE)), MasterKey(SUITE, keyOf(SUITE, 100))
NOW = 1000.0


def closed(index: int, key: MasterKey = ONE, ssrc: int = 7) -> bytes:
    """
    @param index: the packet index: sequence number and, above it, the rollover counter.
    """
    return protect(key.suite, key.key, rtp(index, ssrc), index >> 16)


def marked(packet: bytes, key: MasterKey) -> bytes:
    """
    @return: an SRTP packet with the key's identifier in its place.
    """
    suite = SUITES[key.suite]
    end = len(packet) - (0 if suite.sealed else suite.tagOctets)
    return packet[:end] + key.mki + packet[end:]


class ProtectionTests(SynchronousTestCase):
    """
    L{Protection}.
    """

    def setUp(self) -> None:
        self.now = NOW

    def make(
        self, *keys: MasterKey, known: dict[int, int] | None = None, wraps: int = 0
    ) -> Protection:
        """
        @return: what opens the packets of these keys, in its first batch.
        """
        found = Protection(keys or (ONE,), known or {}, wraps, lambda: self.now)
        found.begin()
        return found

    def opens(self, protection: Protection, indexes: Sequence[int], key: MasterKey = ONE) -> None:
        """
        Assert that packets of these indexes are opened.
        """
        for index in indexes:
            self.assertEqual(protection.open(closed(index, key)), rtp(index), index)

    def test_E8_secret(self) -> None:
        """
        No key is in the text of it.
        """
        self.assertNotIn(repr(ONE.key)[2:-1], repr(self.make()))

    def test_E8_wrongKey(self) -> None:
        """
        A packet of another key is counted, and not opened; a later one that fits is.
        """
        protection = self.make()
        for index in range(3):
            self.assertIsNone(protection.open(closed(index, TWO)))
        self.assertEqual((protection.unauthenticated, protection.replayed), (3, 0))
        self.opens(protection, [5])

    def test_E8_replay(self) -> None:
        """
        A packet that comes twice is opened once.
        """
        protection = self.make()
        self.opens(protection, [5])
        self.assertIsNone(protection.open(closed(5)))
        self.assertEqual((protection.unauthenticated, protection.replayed), (0, 1))

    def test_E8_late(self) -> None:
        """
        One that comes hundreds of packets late is opened; thousands late it is not,
        since nobody knows any more whether it came before.
        """
        protection = self.make()
        self.opens(protection, [5000, 4100])
        self.assertIsNone(protection.open(closed(3000)))
        self.assertEqual(protection.replayed, 1)

    def test_E8_rollover(self) -> None:
        """
        The counter goes on where sequence numbers wrap, and packets may change places there.
        """
        protection = self.make()
        self.opens(protection, [0xFFF0, 0x10001, 0xFFFF, 0x10000, 0x10002])
        self.assertEqual(protection.indexes(), {7: 0x10002})

    def test_E6_sources(self) -> None:
        """
        Each source has a counter of its own, whenever it begins.
        """
        protection = self.make()
        self.opens(protection, [0xFFFF, 0x10000])
        self.assertIsNotNone(protection.open(closed(9, ssrc=8)))
        self.assertEqual(protection.indexes(), {7: 0x10000, 8: 9})

    def test_sourcesAreBounded(self) -> None:
        """
        Of very many sources the last are told.
        """
        protection = self.make()
        for ssrc in range(70):
            protection.open(closed(1, ssrc=ssrc))
        self.assertEqual(list(protection.indexes()), list(range(6, 70)))

    def test_E8_takeover(self) -> None:
        """
        Who takes a stream over goes on from the counter that was stored, or finds a later one
        by the tag; what comes late then is not lost.
        """
        for suite in SUITES:
            key = MasterKey(suite, keyOf(suite))
            for counter in (3, 4, 9):
                protection = self.make(key, known={7: 3 << 16 | 500}, wraps=6)
                self.opens(protection, [counter << 16 | 900, counter << 16 | 899], key)
                self.assertEqual(protection.indexes(), {7: counter << 16 | 900})
                self.assertEqual(protection.unauthenticated, 0)

    def test_E8_takeoverUnknown(self) -> None:
        """
        Of a source that was never stored the counter is found from 0 on.
        """
        protection = self.make(wraps=4)
        self.opens(protection, [2 << 16 | 100, 2 << 16 | 101])

    def test_E8_tooFar(self) -> None:
        """
        Beyond what the time since then allows nothing is tried.
        """
        protection = self.make(known={7: 5}, wraps=2)
        self.assertIsNone(protection.open(closed(3 << 16)))
        self.assertEqual(protection.unauthenticated, 1)
        self.assertEqual(MOST_WRAPS, 64)

    def test_E8_searchesAreBounded(self) -> None:
        """
        Made-up packets cannot have many counters tried; in the next batch the right
        one is found all the same.
        """
        protection = self.make(known={7: 1 << 16}, wraps=2)
        for _ in range(4):
            self.assertIsNone(protection.open(closed(1 << 16, TWO)))
        self.assertIsNone(protection.open(closed(1 << 16)))
        self.assertTrue(protection.begin())
        self.opens(protection, [1 << 16 | 1])

    def test_E8_rekeyed(self) -> None:
        """
        With a new key what was sent with the one before is opened for a while more.
        """
        protection = self.make()
        self.opens(protection, [1, 2])
        protection.change((TWO, evolve(ONE, until=NOW + 30)))
        self.assertTrue(protection.begin())
        self.opens(protection, [3])
        self.opens(protection, [4], TWO)
        self.opens(protection, [5])
        self.now = NOW + 30
        self.assertFalse(protection.begin())
        self.assertIsNone(protection.open(closed(6)))
        self.opens(protection, [7], TWO)

    def test_E8_rekeyedCounter(self) -> None:
        """
        Under a new key the counter begins at 0 (RFC 4568) or goes on (RFC 3711): both
        are found.
        """
        for counter in (0, 1, 2):
            protection = self.make()
            self.opens(protection, [0xFFFF, 0x10000])
            protection.change((TWO, evolve(ONE, until=NOW + 30)))
            protection.begin()
            self.opens(protection, [counter << 16 | 7, counter << 16 | 8], TWO)
            self.assertEqual(protection.indexes(), {7: counter << 16 | 8})

    def test_E8_sameKey(self) -> None:
        """
        An offer with the same key leaves its counters as they are.
        """
        protection = self.make()
        self.opens(protection, [0xFFFF, 0x10000])
        protection.change((MasterKey(SUITE, ONE.key),))
        protection.begin()
        self.opens(protection, [0x10001])
        self.assertIsNone(protection.open(closed(0x10001)))

    def test_E8_noKeys(self) -> None:
        """
        Before the peer has said its keys nothing is opened.
        """
        protection = Protection(())
        self.assertFalse(protection.begin())
        self.assertFalse(protection.quick)
        self.assertIsNone(protection.open(closed(1)))
        self.assertEqual(protection.unauthenticated, 1)

    def test_E8_identifiers(self) -> None:
        """
        Packets tell by their identifier which of several keys is theirs; it stands before
        the tag, with AES-GCM behind it, and for RTCP before a tag of 80 bits.
        """
        for suite in SUITES:
            keys = [MasterKey(suite, keyOf(suite, 10 * each), bytes([0, each])) for each in (1, 2)]
            protection = self.make(*keys)
            self.assertFalse(protection.quick)
            for index, key in enumerate(keys):
                self.assertEqual(protection.open(marked(closed(index, key), key)), rtp(index))
                sender = CryptoSession(suite, key.key, inbound=False)
                control = sender.protect(SENDER_REPORT, control=True)
                end = len(control) - (0 if SUITES[suite].sealed else 10)
                control = control[:end] + key.mki + control[end:]
                self.assertEqual(protection.open(control, control=True), SENDER_REPORT)
            self.assertIsNone(protection.open(closed(5, keys[0])))
            for noise in (b"", b"\x80", bytes(11), bytes(12), bytes(99)):
                self.assertIsNone(protection.open(noise))
            self.assertEqual(protection.unauthenticated, 6)

    def test_identifiersAfterTakeover(self) -> None:
        """
        A counter is found for packets with identifiers, too.
        """
        key = evolve(ONE, mki=b"\1")
        protection = self.make(key, known={7: 1 << 16}, wraps=2)
        packet = marked(closed(2 << 16, ONE), key)
        self.assertEqual(protection.open(packet), rtp(2 << 16))

    def test_E8_control(self) -> None:
        """
        RTCP has no counter to be found.
        """
        protection = self.make(wraps=4)
        sender = CryptoSession(SUITE, ONE.key, inbound=False)
        packet = sender.protect(SENDER_REPORT, control=True)
        self.assertEqual(protection.open(packet, control=True), SENDER_REPORT)
        self.assertIsNone(protection.open(packet, control=True))
        self.assertIsNone(protection.open(bytes(40), control=True))
        self.assertEqual((protection.replayed, protection.unauthenticated), (1, 1))
        self.assertTrue(isControl(200))
        self.assertFalse(isControl(0x80 | 101))

    def test_continued(self) -> None:
        """
        Another capture of the same stream knows all that this one did, but counts for
        itself.
        """
        protection = self.make()
        self.opens(protection, [0xFFFF, 0x10000])
        protection.open(b"noise")
        other = protection.continued()
        other.begin()
        self.assertIsNone(other.open(closed(0x10000)))
        self.opens(other, [0x10001])
        self.assertEqual((other.unauthenticated, other.replayed), (0, 1))
        self.assertEqual(protection.unauthenticated, 1)

    @given(
        st.integers(0, 0x7FFF),
        st.lists(st.tuples(st.integers(-900, 8000), st.booleans()), max_size=30),
    )
    def test_E8_anyOrder(self, first: int, steps: list[tuple[int, bool]]) -> None:
        """
        Whatever is lost, late, repeated or made up: each packet is opened just once, and what
        is told of the source is the highest.
        """
        protection, seen = self.make(), {first}
        self.opens(protection, [first])
        for step, forged in steps:
            index = max(seen) + step
            if index < 0:
                continue
            packet = closed(index, TWO if forged else ONE)
            wanted = None if forged or index in seen else rtp(index)
            self.assertEqual(protection.open(packet), wanted)
            seen |= set() if forged else {index}
        self.assertEqual(protection.indexes(), {7: max(seen)})
