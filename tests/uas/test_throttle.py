"""
Tests of L{siprec.uas.throttle}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.headers import parseVia
from siprec.uas.throttle import Throttle, withFeedback
from tests.sip.traffic import request

A, B = "192.0.2.7", "192.0.2.8"


class ThrottleTests(SynchronousTestCase):
    """
    How many new calls a second are let through.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.throttle = Throttle(self.clock.seconds)

    def taken(self, host: str, count: int) -> int:
        """
        @return: how many of so many calls at once are let through.
        """
        return sum(self.throttle.take(host) is None for _ in range(count))

    def test_noLimit(self) -> None:
        """
        Without rates all are.
        """
        self.assertEqual(self.taken(A, 10_000), 10_000)
        self.assertEqual(self.throttle.loss(A), 0)

    def test_source(self) -> None:
        """
        One source may have a burst of two seconds and then its rate, whatever
        others do.
        """
        self.throttle.sourceRate = 10
        self.assertEqual((self.taken(A, 100), self.taken(B, 3)), (20, 3))
        self.assertEqual(self.throttle.take(A), "sourceRate")
        self.clock.advance(0.5)
        self.assertEqual(self.taken(A, 100), 5)
        self.clock.advance(3600)
        self.assertEqual(self.taken(A, 100), 20)

    def test_node(self) -> None:
        """
        All sources share the rate of the node; what is refused for its source
        takes nothing of it.
        """
        self.throttle.sourceRate, self.throttle.nodeRate = 10, 20
        self.assertEqual(self.taken(A, 1000), 20)
        self.assertEqual(self.taken(B, 1000), 20)
        self.assertEqual(self.throttle.take("192.0.2.9"), "nodeRate")

    def test_slow(self) -> None:
        """
        A rate below one a second lets one through at a time.
        """
        self.throttle.sourceRate = 0.1
        self.assertEqual(self.taken(A, 5), 1)
        self.clock.advance(9)
        self.assertEqual(self.taken(A, 5), 0)
        self.clock.advance(1.1)
        self.assertEqual(self.taken(A, 5), 1)

    def test_wouldRefuse(self) -> None:
        """
        To ask takes nothing.
        """
        self.throttle.sourceRate = 1
        for _ in range(10):
            self.assertIsNone(self.throttle.wouldRefuse(A))
        self.assertEqual(self.taken(A, 10), 2)
        self.assertEqual(self.throttle.wouldRefuse(A), "sourceRate")

    def test_IPv6(self) -> None:
        """
        All addresses of one IPv6 network are one source.
        """
        self.throttle.sourceRate = 1
        self.assertEqual(self.taken("2001:db8::1", 2), 2)
        self.assertEqual(self.throttle.take("2001:db8::ffff:1"), "sourceRate")
        self.assertIsNone(self.throttle.take("2001:db8:0:1::1"))
        self.assertIsNone(self.throttle.take("fe80::1%eth0"))
        self.assertIsNone(self.throttle.take("::x"))

    def test_bounded(self) -> None:
        """
        However many sources there are, only so many are remembered.
        """
        self.throttle.sourceRate = 1
        for number in range(10_050):
            self.throttle.take(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        self.assertEqual(len(self.throttle._sources), 10_000)

    def test_loss(self) -> None:
        """
        What part of the last second's calls was too much for the node is what
        peers should send elsewhere; a source that sends too many itself should
        send none (RFC 7339 section 5.10).
        """
        self.throttle.nodeRate = 50
        self.taken(A, 1000)
        self.assertEqual(self.throttle.loss(A), 0)
        self.clock.advance(1)
        self.assertEqual(self.throttle.loss(A), 90)
        self.clock.advance(1)
        self.assertEqual(self.throttle.loss(A), 0)
        self.taken(A, 1000)
        self.clock.advance(5)
        self.assertEqual(self.throttle.loss(A), 0)
        self.throttle.sourceRate = 1
        self.taken(A, 10)
        self.assertEqual((self.throttle.loss(A), self.throttle.loss(B)), (100, 0))


class FeedbackTests(SynchronousTestCase):
    """
    Overload feedback in Via (RFC 7339 section 4).
    """

    def via(self, params: str, branch: str = "z9hG4bK1") -> str:
        """
        @return: the topmost Via after it.
        """
        value = f"SIP/2.0/UDP 192.0.2.7;branch={branch}{params}"
        asked = request(via=value, more=(("Via", "SIP/2.0/UDP 192.0.2.6;branch=z9hG4bK2"),))
        vias = withFeedback(asked, 20, 1282321615.782).headers.values("Via")
        self.assertEqual(len(vias), 2)
        return vias[0]

    def test_D4_overload_loss(self) -> None:
        """
        Who offers the loss algorithm gets what part to send elsewhere, for how
        long, and a number that grows.
        """
        for offered in (';oc;oc-algo="loss"', ';oc;oc-algo="rate, LOSS"', ";oc-algo=loss;oc"):
            via = parseVia(self.via(offered))
            self.assertEqual(via.param("oc"), "20")
            self.assertIn('oc-algo="loss"', str(via))
            self.assertEqual(via.param("oc-validity"), "2000")
            self.assertEqual(via.param("oc-seq"), "1282321615.782")
            self.assertEqual(via.branch, "z9hG4bK1")

    def test_notAsked(self) -> None:
        """
        Who does not ask, or knows other algorithms only, gets its Via as it
        was; so does a peer of RFC 2543, whose Via tells its requests apart.
        """
        for params in ("", ';oc-algo="loss"', ';oc;oc-algo="rate"', ";oc"):
            self.assertNotIn("oc-seq", self.via(params))
        self.assertNotIn("oc-seq", self.via(';oc;oc-algo="loss"', branch="1"))
