"""
Tests for L{siprec.testing.rtp}.
"""

from collections import Counter
from itertools import pairwise

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.testing import rtp
from siprec.testing.rtp import MediaSockets, Plan, RTPSender

PACKETS = [b"%d" % number for number in range(50)]


class PlanTests(SynchronousTestCase):
    """
    What happens on the way.
    """

    def test_good(self) -> None:
        """
        By default every packet is sent once, in its slot.
        """
        self.assertEqual(Plan().transmissions(3), [(0, 0), (1, 1), (2, 2)])

    def test_loss(self) -> None:
        """
        About the share asked for is missing; the rest stays in order.
        """
        sent = [number for _, number in Plan(loss=0.2, seed=1).transmissions(1000)]
        self.assertLess(abs(len(sent) / 1000 - 0.8), 0.05)
        self.assertEqual(sent, sorted(set(sent)))

    def test_duplicate(self) -> None:
        """
        A duplicate follows its packet at once.
        """
        sent = Plan(duplicate=0.3, seed=2).transmissions(1000)
        counts = Counter(number for _, number in sent)
        self.assertEqual(len(counts), 1000)
        self.assertLess(abs(len(sent) / 1000 - 1.3), 0.05)
        self.assertEqual(sent, sorted(sent))

    def test_reorder(self) -> None:
        """
        A late packet comes in the slot of its successor, after it.
        """
        everyOne = Plan(reorder=1.0).transmissions(3)
        self.assertEqual(everyOne, [(1, 0), (2, 1), (3, 2)])
        sent = [number for _, number in Plan(reorder=0.1, seed=3).transmissions(1000)]
        self.assertEqual(sorted(sent), list(range(1000)))
        backward = sum(b < a for a, b in pairwise(sent))
        self.assertLess(abs(backward / 1000 - 0.1), 0.04)

    def test_deterministic(self) -> None:
        """
        The seed alone decides.
        """
        plan = Plan(0.1, 0.1, 0.1, 7)
        self.assertEqual(plan.transmissions(200), plan.transmissions(200))
        other = Plan(0.1, 0.1, 0.1, 8)
        self.assertNotEqual(plan.transmissions(200), other.transmissions(200))


class RTPSenderTests(SynchronousTestCase):
    """
    Pacing.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.got: list[bytes] = []
        self.held: list[bytes] = []
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def send(self, data: bytes) -> bool:
        self.got.append(data)
        return data not in self.held

    def test_pace(self) -> None:
        """
        One packet goes out each interval, without drift, and the log says so.
        """
        sender = RTPSender(self.clock, self.send, PACKETS)
        done = sender.start()
        self.assertEqual(self.got, PACKETS[:1])
        self.clock.pump([0.02 + 1e-9] * 48)
        self.assertEqual(len(self.got), 49)
        self.assertNoResult(done)
        self.assertTrue(sender.running)
        self.clock.advance(0.02 + 1e-9)
        self.successResultOf(done)
        self.assertFalse(sender.running)
        self.assertEqual(self.got, PACKETS)
        self.assertEqual([each.data for each in sender.sent], PACKETS)
        for number, each in enumerate(sender.sent):
            self.assertEqual(each.number, number)
            self.assertAlmostEqual(each.time, 0.02 * number, places=6)

    def test_catchUp(self) -> None:
        """
        After a stall, what is due goes out at once.
        """
        sender = RTPSender(self.clock, self.send, PACKETS)
        sender.start()
        self.clock.advance(0.1)
        self.assertEqual(self.got, PACKETS[:6])
        sender.stop()

    def test_plan(self) -> None:
        """
        The log holds what was really sent, in the order of sending.
        """
        sender = RTPSender(self.clock, self.send, PACKETS, 0.02, Plan(0.2, 0.2, 0.2, 5))
        done = sender.start()
        self.clock.pump([0.02 + 1e-9] * 50)
        self.successResultOf(done)
        numbers = [each.number for each in sender.sent]
        self.assertEqual(numbers, [n for _, n in Plan(0.2, 0.2, 0.2, 5).transmissions(50)])
        self.assertEqual(self.got, [PACKETS[number] for number in numbers])

    def test_held(self) -> None:
        """
        What was held back at its time is not in the log, and does not come
        later.
        """
        self.held = PACKETS[1:3]
        sender = RTPSender(self.clock, self.send, PACKETS[:5])
        sender.start()
        self.clock.pump([0.02 + 1e-9] * 5)
        self.assertEqual([each.number for each in sender.sent], [0, 3, 4])

    def test_stop(self) -> None:
        """
        After a stop nothing more is sent; stopping again is harmless.
        """
        sender = RTPSender(self.clock, self.send, PACKETS)
        done = sender.start()
        sender.stop()
        self.successResultOf(done)
        sender.stop()
        self.clock.advance(1)
        self.assertEqual(len(self.got), 1)

    def test_nothing(self) -> None:
        """
        Without packets it is done at once.
        """
        self.successResultOf(RTPSender(self.clock, self.send, []).start())

    def test_failure(self) -> None:
        """
        A network that refuses ends the sending.
        """

        def refuse(data: bytes) -> bool:
            raise OSError("unreachable")

        sender = RTPSender(self.clock, refuse, PACKETS)
        self.failureResultOf(sender.start(), OSError)
        self.assertEqual(sender.sent, [])


class FakeSocket:
    """
    A socket that is bound to a port.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.closed = False

    def getsockname(self) -> tuple[str, int]:
        return ("192.0.2.1", self.port)

    def close(self) -> None:
        self.closed = True


class MediaSocketsTests(SynchronousTestCase):
    """
    Finding a pair of ports; real ones are in C{tests.functional.test_client}.
    """

    def test_search(self) -> None:
        """
        An odd port, and an even one whose neighbour is taken, are given back
        and the search goes on.
        """
        offered, made = [30001, 30002, 30004], []

        def bound(host: str, port: int) -> FakeSocket:
            if port == 30003:
                raise OSError("in use")
            made.append(FakeSocket(port or offered.pop(0)))
            return made[-1]

        self.patch(rtp, "_bound", bound)
        pair = MediaSockets.open("192.0.2.1")
        self.assertEqual(pair.port, 30004)
        self.assertEqual(
            [(each.port, each.closed) for each in made],
            [(30001, True), (30002, True), (30004, False), (30005, False)],
        )
        pair.close()
        self.assertTrue(made[-1].closed and made[-2].closed)
