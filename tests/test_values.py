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

    def test_rate(self) -> None:
        """
        A rate is at most the limit, or 0 for none.
        """
        check = values.rate(100)
        self.assertEqual([check(0), check("0"), check(0.5), check("100")], [0, 0, 0.5, 100])
        self.refused(check, "a number a second, from 0 to 100", -1, 101, "x", False, True, None)

    def test_yesNo(self) -> None:
        """
        A switch is true or false.
        """
        self.assertEqual([values.yesNo(True), values.yesNo(False)], [True, False])
        self.refused(values.yesNo, "true or false", "true", 1, 0, None)

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
