"""
Tests of L{siprec.uas.peerlist}.
"""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from siprec.peersettings import readPeers
from siprec.sip.flow import Flow
from siprec.uas.peerlist import PeerList, Standing

UDP = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.7", 5060))
TLS = Flow("TLS", ("192.0.2.1", 5061), ("192.0.2.7", 40000), 3)


def peers(*tables: dict[str, object], digest: bool = False) -> PeerList:
    """
    @return: a list of peers called C{p0}, C{p1} and so on.
    """
    named = [{"name": f"p{number}", **table} for number, table in enumerate(tables)]
    return PeerList(readPeers(named), digest)


class StandingTests(SynchronousTestCase):
    """
    What the source of a message says of its sender.
    """

    def names(self, found: Standing | None) -> tuple[str, ...] | None:
        """
        @return: the names of the peers that it may be.
        """
        return None if found is None else found.names

    def test_noList(self) -> None:
        """
        Without a list everybody is welcome, and authenticates if all must.
        """
        self.assertEqual(PeerList().standing(UDP), Standing())
        self.assertEqual(PeerList(digest=True).standing(UDP), Standing((), True))

    def test_networks(self) -> None:
        """
        An address in one of the networks is a peer's, any other a stranger's.
        """
        found = peers({"networks": ["198.51.100.0/24"]}, {"networks": ["192.0.2.0/28"]})
        self.assertEqual(self.names(found.standing(UDP)), ("p1",))
        self.assertIsNone(found.standing(evolve(UDP, remote=("192.0.2.16", 5060))))
        self.assertIsNone(found.standing(evolve(UDP, remote=("2001:db8::1", 5060))))
        self.assertIsNone(found.standing(evolve(UDP, remote=("", 0))))

    def test_scope(self) -> None:
        """
        The scope of a link-local address is not looked at.
        """
        found = peers({"networks": ["fe80::/10"]})
        self.assertEqual(self.names(found.standing(evolve(UDP, remote=("fe80::1%lo", 1)))), ("p0",))

    def test_certificate(self) -> None:
        """
        A certificate must have one of the names, and the network fit as well.
        """
        found = peers(
            {"networks": ["192.0.2.7"], "certificate": ["a.example.com", "b.example.com"]}
        )
        self.assertIsNone(found.standing(UDP))
        self.assertIsNone(found.standing(evolve(TLS, identities=("c.example.com",))))
        good = evolve(TLS, identities=("x.example.com", "b.example.com"))
        self.assertEqual(self.names(found.standing(good)), ("p0",))
        self.assertIsNone(found.standing(evolve(good, remote=("192.0.2.8", 1))))

    def test_first(self) -> None:
        """
        The first entry that fits decides.
        """
        found = peers({"networks": ["192.0.2.7"]}, {"networks": ["0.0.0.0/0"]})
        self.assertEqual(self.names(found.standing(UDP)), ("p0",))

    def test_users(self) -> None:
        """
        Entries with users are told apart by the user; one without, behind
        them, is no way around.
        """
        found = peers(
            {"digest_users": ["ann"]},
            {"networks": ["192.0.2.7"], "digest_users": ["bob", "eve"]},
            {"networks": ["192.0.2.0/24"]},
        ).standing(UDP)
        assert found is not None
        self.assertEqual((found.names, found.authenticates), (("p0", "p1"), True))
        self.assertEqual(found.authenticated("ann"), ("p0",))
        self.assertEqual(found.authenticated("eve"), ("p1",))
        self.assertIsNone(found.authenticated("zoe"))

    def test_anyUser(self) -> None:
        """
        Where all must authenticate, an entry without users takes any.
        """
        found = peers({"networks": ["192.0.2.7"]}, digest=True).standing(UDP)
        assert found is not None
        self.assertTrue(found.authenticates)
        self.assertEqual(found.authenticated("zoe"), ("p0",))
        self.assertEqual(Standing((), True).authenticated("zoe"), ())

    def test_srtp(self) -> None:
        """
        A peer may have a word of its own on encrypted media.
        """
        found = peers({"networks": ["192.0.2.7"], "srtp": "require"}, {"networks": ["192.0.2.8"]})
        self.assertEqual(found.srtp(evolve(UDP, peers=("p0",))), "require")
        self.assertEqual(found.srtp(evolve(UDP, peers=("p1",))), "")
        self.assertEqual(found.srtp(UDP), "")

    def test_E11_source(self) -> None:
        """
        A peer may have a word of its own on where its media is taken from.
        """
        one: dict[str, object] = {"networks": ["192.0.2.7"], "media_source": "any"}
        found = peers(one, {"networks": ["192.0.2.8"]})
        self.assertEqual(found.source(evolve(UDP, peers=("p0",))), "any")
        self.assertEqual(found.source(evolve(UDP, peers=("p1",))), "")
        self.assertEqual(found.source(UDP), "")

    def test_profile(self) -> None:
        """
        A peer may have a profile of its own.
        """
        found = peers({"networks": ["192.0.2.7"], "profile": "legacy"}, {"networks": ["192.0.2.8"]})
        self.assertEqual(found.profile(evolve(UDP, peers=("p0",))), "legacy")
        self.assertEqual(found.profile(evolve(UDP, peers=("p1",))), "")
        self.assertEqual(found.profile(UDP), "")
