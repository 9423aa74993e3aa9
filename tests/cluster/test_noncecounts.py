"""
Tests of L{siprec.cluster.noncecounts}.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.errors import Refusal, Unreachable
from siprec.cluster.noncecounts import NONCE, NonceCounts
from siprec.ids import NodeID
from siprec.session.model import NodeLease
from siprec.sip.auth import Authenticated, Authenticator, Elsewhere
from siprec.sip.nonces import Nonces, Replays, issuerOf
from siprec.uas.asking import NobodyToAsk
from tests.cluster.relaycase import A, B, FakeLinks
from tests.sip.credentials import ha1Of, withCredentials
from tests.sip.traffic import request


class NonceCountsTests(SynchronousTestCase):
    """
    Two nodes with one secret.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.links: dict[NodeID, FakeLinks] = {}
        self.leases = {name: NodeLease(name, f"life of {name}", "host", 1) for name in (A, B)}
        self.a, self.counts = self.node(A)
        self.b, self.others = self.node(B)
        self.challenge = self.a.challenge("noCredentials").headers[0][1]

    def node(self, name: NodeID) -> tuple[Authenticator, NonceCounts]:
        """
        Start a node.
        """
        issuer = issuerOf(f"life of {name}")
        nonces = Nonces(b"key", self.clock.seconds, issuer)
        users = {("ann", "siprec", "MD5"): ha1Of("MD5", "ann", "secret")}
        replays = Replays(300, self.clock.seconds)
        authenticator = Authenticator(nonces, replays, "siprec", ("MD5",), users)
        links = self.links[name] = FakeLinks(name, self.links)
        living = {each: lease for each, lease in self.leases.items() if each != name}
        return authenticator, NonceCounts(links, lambda: living, authenticator.use)

    def asked(self, count: int, toTag: str | None = None) -> Any:
        """
        Use the challenge of A at B.

        @return: whether it is good there.
        """
        proven = withCredentials(request(toTag=toTag), self.challenge, count=count)
        found = self.b.check(proven)
        assert isinstance(found, Elsewhere), found
        self.assertEqual((found.user, found.issuer), ("ann", issuerOf("life of a")))
        return self.successResultOf(self.others.ask(found))

    def test_D4_digest_everyNode(self) -> None:
        """
        A nonce is good at every node, and each count of it at one alone,
        whichever that is.
        """
        ours = withCredentials(request(), self.challenge)
        self.assertEqual(self.a.check(ours), Authenticated("ann"))
        self.assertFalse(self.asked(1))
        self.assertTrue(self.asked(2))
        self.assertFalse(self.asked(2))
        again = self.a.check(withCredentials(request(), self.challenge, count=2))
        self.assertNotIsInstance(again, Authenticated)
        three = withCredentials(request(), self.challenge, count=3)
        self.assertEqual(self.a.check(three), Authenticated("ann"))

    def test_copyInDialog(self) -> None:
        """
        A copy of a request in a dialog may come by another node.
        """
        ours = withCredentials(request(toTag="t"), self.challenge)
        self.assertEqual(self.a.check(ours), Authenticated("ann"))
        self.assertTrue(self.asked(1, "t"))
        self.assertFalse(self.asked(1))

    def test_old(self) -> None:
        """
        What is too old at the node that made it, or of its former life, is not
        good there.
        """
        use, nonce = self.a.use, self.a.nonces.make()
        self.assertTrue(use(nonce, 1, None))
        self.assertFalse(use("made up", 1, None))
        self.assertFalse(use(self.b.nonces.make(), 1, None))
        self.clock.advance(400)
        self.assertFalse(use(nonce, 2, None))

    def test_gone(self) -> None:
        """
        If the node is not there any more, or does not answer, nobody knows.
        """
        found = self.b.check(withCredentials(request(), self.challenge))
        assert isinstance(found, Elsewhere)
        self.links[B].gone.add(A)
        self.failureResultOf(self.others.ask(found), Unreachable)
        former = evolve(found, issuer=issuerOf("an earlier life of a"))
        self.failureResultOf(self.others.ask(former), NobodyToAsk)

    def test_nonsense(self) -> None:
        """
        A node that does not ask as it should is refused.
        """
        for body in (None, [], ["n", 1], ["n", "1", None], [1, 1, None], ["n", 1, "x"]):
            self.failureResultOf(self.links[B].request(A, NONCE, body), Refusal)
