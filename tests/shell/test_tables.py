"""
Tests of L{siprec.shell.tables}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.shell.tables import (
    Facts,
    Note,
    Report,
    Table,
    ago,
    duration,
    moment,
    printable,
)


class TextTests(SynchronousTestCase):
    """
    Single values as text.
    """

    def test_printable(self) -> None:
        """
        What a peer sent cannot steer the terminal: control characters of C0
        and C1 are spelled out, lines and tabs stay, bytes that were no UTF-8
        are shown as such.
        """
        self.assertEqual(printable("a\x1b[2Jb\x9b1mc\r"), "a\\x1b[2Jb\\x9b1mc\\x0d")
        self.assertEqual(printable("ä\n\tb"), "ä\n\tb")
        self.assertEqual(printable("x\udcff"), "x\\udcff")

    def test_duration(self) -> None:
        """
        Hours may be many; a clock that was set back makes nothing negative.
        """
        self.assertEqual(duration(65.9), "0:01:05")
        self.assertEqual(duration(100 * 3600), "100:00:00")
        self.assertEqual((duration(-5), duration(None)), ("0:00:00", ""))

    def test_times(self) -> None:
        """
        A time is in UTC and says so; how long ago it is has a tenth of a second.
        """
        self.assertEqual(moment(1767603600.0), "2026-01-05 09:00:00 UTC")
        self.assertEqual(moment(None), "")
        self.assertEqual(
            (ago(10.0, 12.34), ago(13.0, 12.0), ago(None, 1)), ("2.3 s", "0.0 s", "never")
        )


class ResultTests(SynchronousTestCase):
    """
    Results print as what they show, at a prompt too.
    """

    def test_table(self) -> None:
        """
        Columns are as wide as they must be; those of numbers stand to the
        right, and nothing is at the end of a line that cannot be seen.
        """
        table = Table.of("name|count|x", [("a", 5, None), ("long", 123, None)])
        self.assertEqual(repr(table), "name  count  x\na         5\nlong    123")

    def test_tableValues(self) -> None:
        """
        Each kind of value has a short form; a cell is one line, and not longer
        than 60 characters.
        """
        values = (True, False, 2.5, 2e9, ("a", "b"), "x\ny\x1b", "z" * 61)
        table = Table.of("a|b|c|d|e|f|g", [values])
        self.assertEqual(
            str(table).splitlines()[1].split("  "),
            ["yes", "no", "2.5", "2000000000", "a, b", "x\\x0ay\\x1b", "z" * 57 + "..."],
        )

    def test_emptyTable(self) -> None:
        """
        A table without rows is a sentence.
        """
        self.assertEqual(str(Table.of("a", [], "none is there")), "none is there")

    def test_others(self) -> None:
        """
        Facts are aligned; a report has its parts below their titles.
        """
        facts = Facts((("a", 1), ("long", None)))
        self.assertEqual(repr(facts), "a     1\nlong")
        report = Report((("", facts), ("title", Note("text"))))
        self.assertEqual(repr(report), "a     1\nlong\n\ntitle\ntext")
        self.assertEqual(str(Facts(())), "")
