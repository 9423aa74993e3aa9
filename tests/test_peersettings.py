"""
Tests of L{siprec.peersettings}.
"""

from ipaddress import ip_network
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from siprec.peersettings import PEER_SETTINGS, BadPeer, PeerSettings, readPeers

ROOT = Path(__file__).resolve().parent.parent


class ReadTests(SynchronousTestCase):
    """
    Tables become peers, or one clear error.
    """

    def bad(self, *tables: object) -> tuple[str, str]:
        """
        @return: the key and the expectation of the error.
        """
        error: BadPeer = self.assertRaises(BadPeer, readPeers, list(tables))
        return error.key, str(error)

    def test_whole(self) -> None:
        """
        Each key goes to its attribute; names of certificates lose their scheme
        and their case.
        """
        [peer] = readPeers(
            [
                {
                    "name": "sbc",
                    "networks": ["192.0.2.0/24", "2001:db8::7"],
                    "certificate": ["sip:SBC.example.com", "sips:b.example.com", "c.example.com"],
                    "digest_users": ["alice"],
                    "profile": "strict",
                    "srtp": "refuse",
                    "media_source": "sdp",
                }
            ]
        )
        networks = (ip_network("192.0.2.0/24"), ip_network("2001:db8::7/128"))
        names = ("sbc.example.com", "b.example.com", "c.example.com")
        values = ("alice",), "strict", "refuse", "sdp"
        self.assertEqual(peer, PeerSettings("sbc", networks, names, *values))

    def test_none(self) -> None:
        """
        No table is no peer; an entry has defaults.
        """
        self.assertEqual(readPeers([]), ())
        [peer] = readPeers([{"name": "a", "digest_users": ["u"]}])
        self.assertEqual(peer, PeerSettings("a", digestUsers=("u",)))

    def test_everybody(self) -> None:
        """
        An entry that would let in everybody is refused.
        """
        key, expected = self.bad({"name": "a", "profile": "legacy"})
        self.assertEqual(key, "peer[0]")
        self.assertIn("one of networks", expected)

    def test_names(self) -> None:
        """
        Names are there, plain, and each once.
        """
        good = {"name": "a", "networks": ["192.0.2.1"]}
        for name in ("", "a b", 5):
            self.assertEqual(self.bad(good, {**good, "name": name})[0], "peer[1].name")
        key, expected = self.bad(good, good)
        self.assertEqual((key, expected), ("peer[1].name", "a name that no other peer has"))

    def test_values(self) -> None:
        """
        Each wrong value is named with its key.
        """
        for key, value in (
            ("networks", "192.0.2.0/24"),
            ("networks", ["192.0.2.1/24"]),
            ("networks", ["sbc.example.com"]),
            ("networks", [7]),
            ("certificate", "a.example.com"),
            ("certificate", ["*.example.com"]),
            ("certificate", ["sip:user@example.com"]),
            ("certificate", [7]),
            ("digest_users", "alice"),
            ("digest_users", ["a:b"]),
            ("digest_users", [""]),
            ("digest_users", [7]),
            ("profile", "loose"),
        ):
            self.assertEqual(self.bad({"name": "a", key: value})[0], f"peer[0].{key}", value)

    def test_shape(self) -> None:
        """
        It is a list of tables with known keys.
        """
        error: BadPeer = self.assertRaises(BadPeer, readPeers, {"name": "a"})
        self.assertEqual(error.key, "peer")
        self.assertEqual(self.bad(5)[0], "peer[0]")
        self.assertEqual(self.bad({"network": []})[0], "peer[0].network")


class TableTests(SynchronousTestCase):
    """
    The documentation says what the table says.
    """

    def test_documentation(self) -> None:
        """
        The page and the example file have each key with its meaning.
        """
        page = (ROOT / "docs" / "configure.rst").read_text(encoding="utf-8")
        example = (ROOT / "etc" / "siprec.toml").read_text(encoding="utf-8")
        for setting in PEER_SETTINGS:
            self.assertIn(f"* - ``{setting.key}``", page)
            self.assertIn(f"     - {setting.meaning}", page)
            name = setting.key.partition(".")[2]
            self.assertIn(f"# # {setting.meaning}\n# {name} = ", example)
