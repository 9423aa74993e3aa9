"""
Tests of L{siprec.values}.
"""

import math
import os
import socket

from twisted.trial.unittest import SynchronousTestCase

from siprec import values


class CheckTests(SynchronousTestCase):
    """
    Each check takes what is right, in the form of the file and of an option,
    and says of the rest what was expected.
    """

    def refused(self, check: values.Check, expected: str, *wrong: object) -> None:
        """
        Assert that every wrong value raises C{ValueError} with the expected text.
        """
        for value in wrong:
            with self.subTest(value=value):
                error = self.assertRaises(ValueError, check, value)
                self.assertIn(expected, str(error))

    def test_whole(self) -> None:
        """
        A whole number is an integer or its digits, within both limits.
        """
        check = values.whole(1, 10)
        self.assertEqual([check(1), check(10), check("7")], [1, 10, 7])
        self.refused(
            check, "a whole number from 1 to 10", 0, 11, 1.5, "x", "-1", "\u0664", True, []
        )

    def test_seconds(self) -> None:
        """
        A duration is above 0, at most the limit, and finite.
        """
        check = values.seconds(60)
        self.assertEqual([check(60), check(0.25), check("1.5")], [60, 0.25, 1.5])
        wrong = (0, -1, 60.1, math.inf, math.nan, "soon", True, None, 10**400)
        self.refused(check, "seconds, above 0 and at most 60", *wrong)

    def test_choice(self) -> None:
        """
        A choice is one of its words exactly.
        """
        check = values.choice("a", "b")
        self.assertEqual(check("b"), "b")
        self.refused(check, "'a' or 'b'", "A", "", 1, ["a"])

    def test_size(self) -> None:
        """
        A size is a number of bytes, or text with a binary unit.
        """
        sizes = [0, 5, "5", "5B", "1KiB", "256MiB", "2 GiB", "1TiB"]
        expected = [0, 5, 5, 5, 1024, 256 << 20, 2 << 30, 1 << 40]
        self.assertEqual([values.size(value) for value in sizes], expected)
        wrong = (-1, "-1", "1MB", "MiB", "1.5GiB", 1.5, True, None, "9" * 5000)
        self.refused(values.size, "a number of bytes", *wrong)

    def test_nodeName(self) -> None:
        """
        A node's name is in the NodeID alphabet.
        """
        self.assertEqual(values.nodeName("node-1"), "node-1")
        self.refused(values.nodeName, "1 to 64 of", "a b", "x" * 65, 1)

    def test_nodeNameOfHost(self) -> None:
        """
        Without a name it is the host's, with each run of other characters
        replaced, cut to 64, and never empty.
        """
        for host, expected in (
            ("pbx.example.com", "pbx.example.com"),
            ("my höst's", "my-h-st-s"),
            ("x" * 70, "x" * 64),
            ("", "localhost"),
        ):
            self.patch(socket, "gethostname", lambda host=host: host)
            self.assertEqual(values.nodeName(""), expected)

    def test_mediaAddress(self) -> None:
        """
        The address for SDP is a unicast one: 0.0.0.0 would mean hold
        (RFC 3264 section 8.4).
        """
        self.assertIdentical(values.mediaAddress(""), None)
        self.assertEqual(values.mediaAddress("192.0.2.1"), "192.0.2.1")
        self.assertEqual(values.mediaAddress("2001:DB8::1"), "2001:db8::1")
        wrong = ("0.0.0.0", "::", "224.0.0.1", "pbx.example.com", "[::1]", "1.2.3", 1)
        self.refused(values.mediaAddress, "an IP address that peers can send to", *wrong)

    def test_interfaceAddress(self) -> None:
        """
        The address to bind may be that of every interface.
        """
        self.assertIdentical(values.interfaceAddress(""), None)
        self.assertEqual(values.interfaceAddress("0.0.0.0"), "0.0.0.0")
        self.refused(values.interfaceAddress, "an IP address of this machine", "eth0", "1.2.3.4/8")

    def test_portRange(self) -> None:
        """
        A port range begins even and has room for one pair of RTP and RTCP
        (RFC 3550 section 11).
        """
        self.assertEqual(values.portRange("10000-19999"), (10000, 19999))
        self.assertEqual(values.portRange("2-3"), (2, 3))
        wrong = ("10001-19999", "10000-10000", "20000-10000", "0-9", "10000-65536", "10000", "a-b")
        self.refused(values.portRange, "'LOW-HIGH'", *wrong)
        self.refused(values.portRange, "text", 10000)

    def test_hostPort(self) -> None:
        """
        An advertised place is a host name or address, with or without a port.
        """
        for text, expected in (
            ("", None),
            ("192.0.2.1", ("192.0.2.1", None)),
            ("rec.example.com:5062", ("rec.example.com", 5062)),
            ("[2001:db8::1]:5060", ("2001:db8::1", 5060)),
            ("[2001:db8::1]", ("2001:db8::1", None)),
        ):
            self.assertEqual(values.hostPort(text), expected)
        wrong = (
            "2001:db8::1",
            "[192.0.2.1]",
            "[zebra]",
            "a:0",
            "a:65536",
            "a:",
            ":5060",
            "a b",
            "sip:a@b",
            "x" * 254,
            "a..b",
        )
        self.refused(values.hostPort, "'HOST' or 'HOST:PORT'", *wrong)

    def test_storeURL(self) -> None:
        """
        This process's memory, or the address of a Redis server in any form.
        """
        for url in (
            *("memory:", "redis://h:6379/0", "rediss://u:p@h/1", "unix:///run/redis.sock?db=2"),
            "redis+sentinel://h1:26379,h2:26379/mymaster/0",
        ):
            self.assertEqual(values.storeURL(url), url)
        self.refused(values.storeURL, "'memory:', or ", "redis://", "http://h", "", "memory")
        self.refused(values.storeURL, "text", 1)
        self.assertEqual(values.optionalStoreURL(""), "")
        self.assertEqual(values.optionalStoreURL("memory:"), "memory:")
        self.refused(values.optionalStoreURL, "'memory:', or ", "ftp://h")

    def test_optionalFile(self) -> None:
        """
        A path that need not be given.
        """
        self.assertEqual(values.optionalFile(""), "")
        self.assertEqual(values.optionalFile("/a/b"), "/a/b")
        self.refused(values.optionalFile, "the path of a file", "/a/")

    def test_keyPrefix(self) -> None:
        """
        What may stand before every key: no blanks, and not nothing.
        """
        for text in ("siprec:", "{a}:b.c_d-", "x" * 64):
            self.assertEqual(values.keyPrefix(text), text)
        self.refused(values.keyPrefix, "1 to 64 letters", "", "a b", "x" * 65, "a*")

    def test_directory(self) -> None:
        """
        A folder's path is made absolute at once.
        """
        self.assertEqual(values.directory("./a"), os.path.join(os.getcwd(), "a"))
        self.assertEqual(values.directory("/var/lib/siprec"), "/var/lib/siprec")
        self.refused(values.directory, "the path of a folder", "", "a\0b")

    def test_filePath(self) -> None:
        """
        A file's path is made absolute at once.
        """
        self.assertEqual(values.filePath("./a"), os.path.join(os.getcwd(), "a"))
        self.assertEqual(values.filePath("/etc/siprec/keys"), "/etc/siprec/keys")
        self.refused(values.filePath, "the path of a file", "", "a\0b", "/etc/")

    def test_headerPatterns(self) -> None:
        """
        Header patterns are header names with wildcards, perhaps none.
        """
        self.assertEqual(values.headerPatterns([]), ())
        self.assertEqual(values.headerPatterns(["X-*", "To?"]), ("X-*", "To?"))
        wrong = ("X-*", ["a b"], [""], [1], ["X:"], None)
        self.refused(values.headerPatterns, "a list of header names", *wrong)

    def test_textPatterns(self) -> None:
        """
        Patterns are regular expressions, perhaps none, and none that matches nothing.
        """
        self.assertEqual(values.textPatterns([]), ())
        self.assertEqual(values.textPatterns([r"\d{6,}"]), (r"\d{6,}",))
        self.refused(values.textPatterns, "a list of regular expressions", "x", [1], None)
        self.refused(values.textPatterns, "unterminated", ["(["], ["[0-9"])
        self.refused(values.textPatterns, "matches no text at all", [r"\d*"])

    def test_upToSeconds(self) -> None:
        """
        A duration that may be none is 0, or a duration as any other.
        """
        check = values.upToSeconds(60)
        self.assertEqual([check(0), check("0"), check(0.5), check("60")], [0, 0, 0.5, 60])
        self.refused(check, "seconds, from 0 to 60", -1, 61, "x", False, True, None)

    def test_takeoverWays(self) -> None:
        """
        The ways to take media over come as text or as a list, in their order.
        """
        check = values.takeoverWays
        self.assertEqual(check("address,reinvite"), ("address", "reinvite"))
        self.assertEqual(check("reinvite , address"), ("reinvite", "address"))
        self.assertEqual(check(["address"]), ("address",))
        wrong: tuple[object, ...] = (
            "",
            "dns",
            "address,address",
            [],
            [1],
            ["address", "x"],
            5,
            None,
        )
        self.refused(check, "'address', 'reinvite', or both", *wrong)
