"""
Tests of L{siprec.cluster.offering}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from siprec.cluster.offering import OFFER
from siprec.cluster.serving import DONE
from tests.cluster.segmentscase import SECOND, A, B, C, SegmentsCase
from tests.session.recordings import identity


class OfferingTests(SegmentsCase):
    """
    C{b} has given its call to C{a}, and is to stop.
    """

    def setUp(self) -> None:
        super().setUp()
        self.copy()

    def offered(self, seconds: float = 30) -> Deferred[None]:
        """
        Wait until all was fetched from C{b}.
        """
        return Deferred.fromCoroutine(self.b.segments.offered(self.clock.seconds() + seconds))

    def offer(self) -> None:
        """
        What C{b} has is closed.
        """
        self.b.segments.segmentClosed(identity(), self.b.directory())

    def goesOn(self) -> None:
        """
        Have C{a} go on with the call.
        """
        recording = self.call(self.a.root, B, A)
        self.write(recording, {"2-0.rtpdump": SECOND}, ())
        self.a.live(recording)

    def test_nothing(self) -> None:
        """
        Who has nothing to give need not wait.
        """
        self.start(self.a, self.b)
        self.successResultOf(self.offered())

    def test_nobody(self) -> None:
        """
        Nor who is alone.
        """
        self.a.links.away = True
        self.start(self.b)
        self.offer()
        self.successResultOf(self.offered())

    def test_time(self) -> None:
        """
        It is not waited longer than until the time is over.
        """
        self.start(self.a, self.b)
        self.offer()
        waiting = self.offered(1)
        self.clock.pump([0.1] * 9)
        self.assertNoResult(waiting)
        with capturedLogs() as events:
            self.clock.pump([0.1] * 2)
        self.successResultOf(waiting)
        self.assertEqual([each["copies"] for each in events if "copies" in each], [1])

    def test_again(self) -> None:
        """
        The other node may not have taken it up when it is told: it is told again.
        """
        self.start(self.a, self.b)
        self.offer()
        waiting = self.offered()
        self.clock.pump([0.1] * 15)
        self.assertEqual([kind for kind, _ in self.a.links.asked], [OFFER])
        self.goesOn()
        self.clock.pump([0.1] * 10)
        self.successResultOf(waiting)
        self.assertEqual(self.b.files(), [])

    def test_stop(self) -> None:
        """
        A stop ends the waiting.
        """
        self.start(self.a, self.b)
        self.offer()
        waiting = self.offered()
        self.stop(self.b)
        self.successResultOf(waiting)

    def test_unreachable(self) -> None:
        """
        A node that is not reached is told the next time.
        """
        self.nodes[C] = self.a  # a member that has no links
        self.network[C] = self.a.links
        self.goesOn()
        self.start(self.a, self.b)
        self.b.links.away = True
        self.offer()
        self.assertEqual(self.a.links.asked, [])
        self.b.links.away = False
        waiting = self.offered()
        self.clock.pump([0.1] * 30)
        self.successResultOf(waiting)

    def test_shared(self) -> None:
        """
        A node that has it in the same directory says so, and nothing is fetched or
        removed.
        """
        a = self.makeNode(A, self.b.root)
        recording = self.call(a.root, B, A)
        self.write(recording, {"2-0.rtpdump": SECOND}, ())
        a.live(recording)
        self.start(a, self.b)
        self.offer()
        self.successResultOf(self.offered())
        self.assertEqual([kind for kind, _ in self.b.links.asked], [DONE])
        self.assertIn("1-0.rtpdump", self.b.files())
        self.assertEqual(self.b.manifest()["state"], "recording")

    def test_sharedUnreachable(self) -> None:
        """
        If that is not heard, it is said again.
        """
        a = self.makeNode(A, self.b.root)
        recording = self.call(a.root, B, A)
        self.write(recording, {"2-0.rtpdump": SECOND}, ())
        a.live(recording)
        self.start(a, self.b)
        self.b.links.held = []
        self.offer()
        self.clock.advance(5)
        self.b.links.held = None
        waiting = self.offered()
        self.clock.pump([0.1] * 30)
        self.successResultOf(waiting)

    def test_nonsense(self) -> None:
        """
        What is no offer is passed over.
        """
        self.start(self.a)
        for body in (None, {}, {"id": "../x", "root": "x"}, {"id": identity()}):
            self.successResultOf(self.b.links.notify(A, OFFER, body))
        self.assertEqual(self.a.marks(), [])
