"""
Tests of L{siprec.config} and L{siprec.settings}.
"""

import os
import tomllib
from pathlib import Path

from attrs import asdict
from attrs.exceptions import FrozenInstanceError
from twisted.trial.unittest import SynchronousTestCase

from siprec.config import SETTINGS, ConfigError, loadSettings

ROOT = Path(__file__).resolve().parent.parent


class LoadSettingsTests(SynchronousTestCase):
    """
    A file and options become frozen settings, or one clear error.
    """

    def written(self, content: str | bytes) -> str:
        """
        @return: the path of a file with that content.
        """
        path = Path(self.mktemp())
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def failure(self, path: str | None, overrides: dict[str, object]) -> ConfigError:
        """
        @return: the error of loading these.
        """
        error: ConfigError = self.assertRaises(ConfigError, loadSettings, path, overrides)
        return error

    def test_defaults(self) -> None:
        """
        No file and no option is a working recorder.
        """
        settings = loadSettings(None, {"node.id": "one"})
        self.assertEqual(
            asdict(settings),
            {
                "node": {"id": "one", "drainTimeout": 30},
                "sip": {
                    "listen": ("udp:5060", "tcp:5060"),
                    "advertise": None,
                    "profile": "lenient",
                    "srtp": "allow",
                    "maxSessions": 0,
                    "notReady": "refuse",
                    "maxStreams": 0,
                    "maxUnacknowledged": 1000,
                    "maxWait": 20.0,
                    "inviteRate": 0,
                    "sourceRate": 0,
                    "sourceConnections": 1000,
                    "idleTimeout": 600,
                    "tlsCertificate": "",
                    "tlsKey": "",
                    "tlsCa": "",
                    "tlsClient": "required",
                    "digest": False,
                    "digestFile": "",
                    "digestRealm": "siprec",
                    "digestAlgorithms": ("SHA-512-256", "SHA-256"),
                    "digestLifetime": 300,
                },
                "media": {
                    "address": None,
                    "bind": None,
                    "ports": (10000, 19999),
                    "pollInterval": 0.2,
                    "rtcpInterval": 5.0,
                    "source": "latch",
                },
                "store": {
                    "url": "memory:",
                    "backup": "",
                    "passwordFile": "",
                    "prefix": "siprec:",
                    "timeout": 2.0,
                },
                "session": {
                    "heartbeatInterval": 1.0,
                    "cleanupInterval": 300,
                    "timeout": 3600,
                    "mediaTimeout": 60,
                    "probeAfter": 300,
                    "maxLength": 0,
                },
                "cluster": {
                    "listen": "tcp:0",
                    "advertise": None,
                    "secretFile": "",
                    "tlsCertificate": "",
                    "tlsKey": "",
                    "tlsCa": "",
                    "mediaTakeover": ("address", "reinvite"),
                    "addressWait": 0,
                    "confirmTime": 0.3,
                    "stitchWindow": 30,
                },
                "recordings": {
                    "directory": os.path.abspath("recordings"),
                    "format": "wav",
                    "layout": "channels",
                    "peaks": False,
                    "keepUndecodable": False,
                    "split": "none",
                    "maskDtmf": False,
                    "minFree": 256 << 20,
                    "fsync": 5.0,
                    "workers": 1,
                },
                "metadata": {"exclude": (), "mask": (), "snapshotRequest": "lost"},
                "http": {"listen": "tcp:8080:interface=127.0.0.1"},
                "manhole": {
                    "listen": "",
                    "authorizedKeys": os.path.abspath("authorized_keys"),
                    "hostKey": os.path.abspath("manhole_host_key"),
                },
                "trace": {"messages": 10_000, "bytes": 16 << 20, "socket": ""},
                "peers": (),
            },
        )

    def test_file(self) -> None:
        """
        A value in the file wins over the default, and the rest stays.
        """
        path = self.written(
            '[node]\nid = "two"\ndrain_timeout = 5\n[media]\nports = "20000-20009"\n'
        )
        settings = loadSettings(path, {})
        self.assertEqual(settings.node.id, "two")
        self.assertEqual(settings.node.drainTimeout, 5)
        self.assertEqual(settings.media.ports, (20000, 20009))
        self.assertEqual(settings.sip.profile, "lenient")

    def test_overrides(self) -> None:
        """
        An override wins over the file; C{None} is an option that was not given.
        """
        path = self.written('[node]\nid = "two"\n[sip]\nlisten = ["udp:1"]\nprofile = "strict"\n')
        settings = loadSettings(path, {"sip.listen": ["udp:2", "tcp:2"], "node.id": None})
        self.assertEqual(settings.node.id, "two")
        self.assertEqual(settings.sip.listen, ("udp:2", "tcp:2"))
        self.assertEqual(settings.sip.profile, "strict")

    def test_peers(self) -> None:
        """
        Each C{[[peer]]} is one; a wrong one is named by its number.
        """
        table = '[[peer]]\nname = "a"\nnetworks = ["192.0.2.7"]\n'
        [peer] = loadSettings(self.written(table), {}).peers
        self.assertEqual(peer.name, "a")
        error = self.failure(self.written(table + '[[peer]]\nname = "b"\nnetworks = [7]\n'), {})
        self.assertEqual((error.key, error.value), ("peer[1].networks", [7]))

    def test_digestWithoutUsers(self) -> None:
        """
        Who asks for credentials must say where the users are.
        """
        table = '[[peer]]\nname = "a"\ndigest_users = ["ann"]\n'
        for content in ("[sip]\ndigest = true\n", table):
            self.assertEqual(self.failure(self.written(content), {}).key, "sip.digest_file")
        self.assertTrue(loadSettings(self.written(table), {"sip.digest_file": "/x"}).peers)

    def test_frozen(self) -> None:
        """
        Settings cannot be changed behind the back of who holds them.
        """
        settings = loadSettings(None, {})
        with self.assertRaises(FrozenInstanceError):
            settings.sip.profile = "strict"  # type: ignore[misc]

    def test_badValue(self) -> None:
        """
        A wrong value is reported with its dotted key, itself and what was expected.
        """
        error = self.failure(self.written('[sip]\nprofile = "loose"\n'), {})
        self.assertEqual((error.key, error.value), ("sip.profile", "loose"))
        self.assertEqual(
            str(error), "sip.profile = 'loose': expected 'lenient' or 'strict' or 'legacy'"
        )

    def test_badOverride(self) -> None:
        """
        An override is checked like the file, even where the file is right.
        """
        error = self.failure(self.written("[sip]\nmax_sessions = 5\n"), {"sip.max_sessions": "-5"})
        self.assertEqual((error.key, error.value), ("sip.max_sessions", "-5"))

    def test_everyKeyIsChecked(self) -> None:
        """
        No key lets a table through, which is never right.
        """
        for setting in SETTINGS:
            self.assertEqual(self.failure(None, {setting.key: {"a": 1}}).key, setting.key)

    def test_unknownKey(self) -> None:
        """
        An unknown key is an error that names the nearest known one.
        """
        for content, key, nearest in (
            ("[sip]\nlissen = []\n", "sip.lissen", "sip.listen"),
            ("[recording]\ndirectory = '/x'\n", "recording.directory", "recordings.directory"),
            ("listen = 1\n", "listen", "sip.listen"),
        ):
            error = self.failure(self.written(content), {})
            self.assertEqual((error.key, error.expected), (key, f"a known key, perhaps {nearest}"))

    def test_unknownKeyLikeNone(self) -> None:
        """
        Where no known key is near, all of them are listed.
        """
        error = self.failure(None, {"zzz": 1})
        for setting in SETTINGS:
            self.assertIn(setting.key, error.expected)

    def test_tableIsAValue(self) -> None:
        """
        A known table's name cannot be given a value.
        """
        for content in ("sip = 5\n", "[[sip]]\n"):
            error = self.failure(self.written(content), {})
            self.assertEqual((error.key, error.expected), ("sip", "a table, [sip]"))

    def test_unreadableFile(self) -> None:
        """
        A file that is not there, or a folder, is an error about C{--config}.
        """
        for path in (self.mktemp(), os.getcwd()):
            error = self.failure(path, {})
            self.assertEqual((error.key, error.value), ("--config", path))
            self.assertIn("a readable file (", error.expected)

    def test_notTOML(self) -> None:
        """
        What is not TOML, or not UTF-8, is an error that says where.
        """
        for content, where in ((b"[sip\n", "line 1"), (b"# \xff\n", "position 2")):
            error = self.failure(self.written(content), {})
            self.assertEqual(error.key, "--config")
            self.assertIn("a TOML file (", error.expected)
            self.assertIn(where, error.expected)

    def test_passwordsAreNotShown(self) -> None:
        """
        An error goes to terminals and logs, so it leaves out a URL's password.
        """
        error = self.failure(None, {"store.url": "redis://user:s3cret@host/x"})
        self.assertEqual(error.value, "redis://user:***@host/x")
        self.assertNotIn("s3cret", repr(error) + str(error))


class TableTests(SynchronousTestCase):
    """
    The file in C{etc} and the documentation say what the table says.
    """

    def test_exampleFile(self) -> None:
        """
        C{etc/siprec.toml} has every key with its default, below its meaning.
        """
        path = ROOT / "etc" / "siprec.toml"
        content = path.read_text(encoding="utf-8")
        document = tomllib.loads(content)
        keys = {
            f"{table}.{name}": document[table][name]
            for table in document
            for name in document[table]
        }
        self.assertEqual(keys, {setting.key: setting.default for setting in SETTINGS})
        for setting in SETTINGS:
            name = setting.key.partition(".")[2]
            self.assertIn(f"# {setting.meaning}\n{name} = ", content)
        self.assertEqual(loadSettings(str(path), {}), loadSettings(None, {}))

    def test_documentation(self) -> None:
        """
        The configuration page has a row for each key, with its option, its
        default and its meaning.
        """
        page = (ROOT / "docs" / "configure.rst").read_text(encoding="utf-8")
        rows = {row.partition("``")[2].partition("``")[0]: row for row in page.split("\n   * - ")}
        for setting in SETTINGS:
            row = rows[setting.key]
            if setting.option is not None:
                self.assertIn(f"``--{setting.option}``", row)
            default = str(setting.default).replace("'", '"')
            if isinstance(setting.default, bool):
                default = default.lower()
            self.assertIn(default or "(empty)", row)
            self.assertIn(setting.meaning, row)

    def test_options(self) -> None:
        """
        The options are those that the outside relies on, each given once.
        """
        options = {setting.option: setting.key for setting in SETTINGS if setting.option}
        self.assertEqual(
            options,
            {
                "node-id": "node.id",
                "sip": "sip.listen",
                "advertise": "sip.advertise",
                "media-address": "media.address",
                "rtp-ports": "media.ports",
                "store": "store.url",
                "backup-store": "store.backup",
                "recordings": "recordings.directory",
                "http": "http.listen",
                "manhole": "manhole.listen",
            },
        )
        self.assertEqual([s.option for s in SETTINGS if s.repeatable and s.option], ["sip"])
