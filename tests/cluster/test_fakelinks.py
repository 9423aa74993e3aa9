"""
Tests of L{tests.cluster.fakelinks}.
"""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.cluster.errors import Unreachable
from siprec.cluster.interfaces import IClusterLinks, Liveness
from tests.cluster.fakelinks import FakeLinks
from tests.store.samples import N1, makeLease


class FakeLinksTests(SynchronousTestCase):
    """
    The fake keeps what the interface promises.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.links = FakeLinks(self.clock)

    def test_interface(self) -> None:
        """
        It is what it stands for.
        """
        verifyObject(IClusterLinks, self.links)

    def test_probes(self) -> None:
        """
        Silence takes all the time there is; another finding takes none, unless
        the test holds it.
        """
        silent = self.links.probe(makeLease(), 0.5)
        self.clock.advance(0.49)
        self.assertNoResult(silent)
        self.clock.advance(0.01)
        self.assertIs(self.successResultOf(silent), Liveness.SILENT)
        self.links.alive["i1"] = Liveness.OTHER
        self.assertIs(self.successResultOf(self.links.probe(makeLease(), 1)), Liveness.OTHER)
        self.links.held = []
        held = self.links.probe(makeLease(), 1)
        self.links.held[0].callback(Liveness.ALIVE)
        self.assertIs(self.successResultOf(held), Liveness.ALIVE)
        self.assertEqual(self.links.probes, [(0, "i1", 0.5), (0.5, "i1", 1), (0.5, "i1", 1)])

    def test_broken(self) -> None:
        """
        It can break its promise.
        """
        self.links.error = ZeroDivisionError()
        self.failureResultOf(self.links.probe(makeLease(), 1), ZeroDivisionError)

    def test_messages(self) -> None:
        """
        Requests and notices are kept, or fail as those to a node that cannot be
        reached.
        """
        self.links.keep(iter([N1]))
        self.links.handle("k", lambda peer, body: body)
        self.successResultOf(self.links.request(N1, "k", 1))
        self.successResultOf(self.links.notify(N1, "k", 2))
        self.links.reachable = False
        self.failureResultOf(self.links.request(N1, "k", 1), Unreachable)
        self.failureResultOf(self.links.notify(N1, "k", 2), Unreachable)
        self.assertEqual(self.links.sent, [(N1, "k", 1), (N1, "k", 2)])
        self.assertEqual((self.links.kept, list(self.links.answers)), ([[N1]], ["k"]))
