"""
Tests of L{siprec.settings}; what the values become is tested in
L{tests.test_config}.
"""

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from siprec.settings import SETTINGS
from siprec.sipsettings import SIP_SETTINGS


class SettingsTests(SynchronousTestCase):
    """
    The table of what can be configured.
    """

    def test_once(self) -> None:
        """
        Each key and each option is there once.
        """
        keys = Counter(each.key for each in SETTINGS)
        options = Counter(each.option for each in SETTINGS if each.option is not None)
        self.assertEqual({*keys.values(), *options.values()}, {1})

    def test_tables(self) -> None:
        """
        The rows of one table follow each other, as in the file.
        """
        tables = [each.key.partition(".")[0] for each in SETTINGS]
        self.assertEqual(tables, sorted(tables, key=tables.index))

    def test_sip(self) -> None:
        """
        Those of signalling are among them.
        """
        self.assertEqual([each for each in SETTINGS if each in SIP_SETTINGS], [*SIP_SETTINGS])

    def test_meanings(self) -> None:
        """
        Each is explained in one sentence of one line.
        """
        for each in SETTINGS:
            self.assertRegex(each.meaning, r"\A[A-Z][^\n]*\.\Z", each.key)
