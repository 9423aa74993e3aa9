"""
Tests of L{siprec.shell.command}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.shell.command import Command


def _double(number: int, times: int = 2) -> int:
    """
    Show a number several times.

    As often as you like.
    """
    return number * times


class CommandTests(SynchronousTestCase):
    """
    A command is its function and its help.
    """

    def test_called(self) -> None:
        """
        It is called as the function is.
        """
        self.assertEqual(Command("double", _double)(4, times=3), 12)

    def test_help(self) -> None:
        """
        Without parentheses it says how it is used and what for.
        """
        command = Command("double", _double)
        self.assertEqual(repr(command), "double(number, times): Show a number several times.")
        self.assertIn("As often as you like.", command.text)
        self.assertEqual(list(command.choices()), [])

    def test_withoutDocumentation(self) -> None:
        """
        A function without a docstring has no help, and is no error.
        """
        self.assertEqual(repr(Command("nothing", lambda: None)), "nothing(): ")
