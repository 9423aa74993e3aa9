"""
Tests of L{siprec.store.redisurl}.
"""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.store.redisurl import BadRedisURL, RedisURL, parseRedisURL, withPasswordFile


class ParseTests(SynchronousTestCase):
    """
    Every form that is documented is read, and nothing else.
    """

    def test_host(self) -> None:
        """
        Port and database have defaults.
        """
        self.assertEqual(parseRedisURL("redis://r.example"), RedisURL((("r.example", 6379),)))
        self.assertEqual(parseRedisURL("redis://r/"), RedisURL((("r", 6379),)))
        self.assertEqual(
            parseRedisURL("redis://10.0.0.1:7000/3"), RedisURL((("10.0.0.1", 7000),), database=3)
        )
        self.assertEqual(parseRedisURL("redis://[::1]:7000").hosts, (("::1", 7000),))
        self.assertEqual(parseRedisURL("redis://[::1]").hosts, (("::1", 6379),))

    def test_credentials(self) -> None:
        """
        User and password may be escaped; the user may be empty, and then it is
        the default one.
        """
        url = parseRedisURL("redis://si%40rec:p%3A%2F%23@r:1/0")
        self.assertEqual((url.user, url.password), ("si@rec", "p:/#"))
        url = parseRedisURL("redis://:a:b@r")
        self.assertEqual((url.user, url.password), (None, "a:b"))
        url = parseRedisURL("redis://u:@r")
        self.assertEqual((url.user, url.password), ("u", ""))

    def test_tls(self) -> None:
        """
        C{rediss:} may name whom to trust and who we are.
        """
        url = parseRedisURL("rediss://r/1?ca=/etc/ca.pem&cert=/c.pem&key=%2Fk.pem")
        self.assertTrue(url.tls)
        self.assertEqual((url.ca, url.cert, url.key), ("/etc/ca.pem", "/c.pem", "/k.pem"))
        self.assertFalse(parseRedisURL("redis://r").tls)

    def test_unix(self) -> None:
        """
        A Unix socket has a path and, in the query, a database.
        """
        url = parseRedisURL("unix:///run/my%20redis/s?db=2")
        self.assertEqual((url.path, url.database, url.hosts), ("/run/my redis/s", 2, ()))
        url = parseRedisURL("unix://u:p@/s")
        self.assertEqual((url.path, url.user, url.password), ("/s", "u", "p"))

    def test_sentinel(self) -> None:
        """
        Sentinels are a list, with a port of their own; the master's name
        follows.
        """
        url = parseRedisURL("redis+sentinel://:pw@h1,h2:26380,[::1]:5/my%2Fmaster/4")
        self.assertEqual(url.hosts, (("h1", 26379), ("h2", 26380), ("::1", 5)))
        self.assertEqual((url.master, url.database, url.password), ("my/master", 4, "pw"))
        self.assertEqual(parseRedisURL("redis+sentinel://h/m").database, 0)
        self.assertTrue(parseRedisURL("rediss+sentinel://h/m?ca=/c").tls)

    def test_bad(self) -> None:
        """
        What is not an address is refused with what was expected, and the
        message does not repeat a password.
        """
        for text, expected in (
            ("", "redis://"),
            ("memory:", "unix://"),
            ("http://hush@r", "redis+sentinel://"),
            ("redis:r", "redis://"),
            ("redis://", "HOST"),
            ("redis://r:0", "HOST"),
            ("redis://r:65536", "HOST"),
            ("redis://r:x", "HOST"),
            ("redis://r\n", "HOST"),
            ("redis://u:hush/x@r", "HOST"),
            ("redis://u:hu#sh@r", "%23"),
            ("redis://hush@r", "USER:PASSWORD"),
            ("redis://r/x", "DATABASE"),
            ("redis://r/-1", "DATABASE"),
            ("redis://r/99999", "DATABASE"),
            ("redis://r/1/2", "DATABASE"),
            ("redis://r1,r2", "Sentinels"),
            ("redis://r?ca=/c", "no option ca"),
            ("redis://r?password=hush", "no option password"),
            ("redis://r?hush", "HOST"),
            ("rediss://r?cert=/c", "key=FILE"),
            ("rediss://r?key=/c", "cert=FILE"),
            ("unix://host/path", "unix:///PATH"),
            ("unix:///", "unix:///PATH"),
            ("unix:///a%00b", "unix:///PATH"),
            ("unix:///s?db=x", "DATABASE"),
            ("unix:///s?x=1", "no option x"),
            ("redis+sentinel://h", "MASTER"),
            ("redis+sentinel://h//0", "MASTER"),
            ("redis+sentinel://h,,g/m", "HOST"),
            ("redis+sentinel://h/m/0/0", "MASTER"),
        ):
            error = self.assertRaises(BadRedisURL, parseRedisURL, text)
            self.assertIn(expected, str(error), text)
            self.assertNotIn("hush", str(error))

    def test_textHasNoPassword(self) -> None:
        """
        The text form is for logs: all but the password.  It can be read again.
        """
        for text in (
            "redis://r:6379/0",
            "redis://[::1]:1/2",
            "rediss://u@r:1/0",
            "unix:///run/s?db=2",
            "unix://u@/run/s?db=2",
            "redis+sentinel://h1:26379,h2:5/mymaster/0",
            "rediss+sentinel://h1:26379/mymaster/0",
        ):
            secret = text.replace("u@", "u:hush@")
            url = parseRedisURL(secret)
            self.assertEqual(str(url), text)
            self.assertNotIn("hush", repr(url))

    @given(st.text(max_size=40), st.sampled_from(["", "redis://", "unix://", "redis+sentinel://"]))
    def test_anything(self, text: str, scheme: str) -> None:
        """
        No text does anything but give an address or fail as it should.
        """
        try:
            url = parseRedisURL(scheme + text)
        except BadRedisURL:
            return
        self.assertTrue(url.hosts or url.path)


class PasswordFileTests(SynchronousTestCase):
    """
    Secrets come from a file.
    """

    def read(self, content: str) -> RedisURL:
        """
        @return: the address with what a file has.
        """
        path = Path(self.mktemp())
        path.write_text(content, encoding="utf-8")
        return withPasswordFile(parseRedisURL("redis://old:older@r"), str(path))

    def test_password(self) -> None:
        """
        One line is the password, with or without a line end; the user stays.
        """
        for content in ("p: w", "p: w\n"):
            url = self.read(content)
            self.assertEqual((url.user, url.password), ("old", "p: w"))

    def test_userAndPassword(self) -> None:
        """
        Two lines are the user and the password.
        """
        url = self.read("me\npw\n")
        self.assertEqual((url.user, url.password), ("me", "pw"))

    def test_otherContent(self) -> None:
        """
        An empty file, an empty line or a third one is a mistake.
        """
        for content in ("", "\n", "u\n\n", "\npw", "a\nb\nc"):
            self.assertRaises(BadRedisURL, self.read, content)

    def test_noFile(self) -> None:
        """
        A file that is not there is the system's error.
        """
        self.assertRaises(OSError, withPasswordFile, RedisURL(), self.mktemp())
