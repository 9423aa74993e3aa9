"""
Tests of L{siprec.setting}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.setting import Setting


class SettingTests(SynchronousTestCase):
    """
    A row of the table.
    """

    def test_repeatable(self) -> None:
        """
        What is a list may be given several times, even if it is empty at first.
        """
        defaults: list[str | bool | int | float | list[str]] = ["", False, 1, 0.5, [], ["a"]]
        rows = [Setting("a.b", None, default, str, "x") for default in defaults]
        found = [each.repeatable for each in rows]
        self.assertEqual(found, [False, False, False, False, True, True])
