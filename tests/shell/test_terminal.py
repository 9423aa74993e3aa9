"""
Tests of L{siprec.shell.terminal}.
"""

import re
from typing import Any

from twisted.conch.insults.insults import ServerProtocol
from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from siprec.shell.command import Command
from siprec.shell.terminal import LineShell, Opening, TerminalShell


class _ShellTestCase(SynchronousTestCase):
    """
    A namespace, and what was typed.
    """

    def setUp(self) -> None:
        self.waited: Deferred[int] = Deferred()
        self.typed: list[str] = []
        self.transport = StringTransport()
        self.opening = Opening(
            lambda: {
                "session": Command("session", lambda id: id, lambda: ["0190"]),
                "sessions": Command("sessions", lambda: None),
                "d": self.waited,
            },
            "welcome",
            self.typed.append,
        )


class TerminalTests(_ShellTestCase):
    """
    Keys in, a screen out.
    """

    def setUp(self) -> None:
        super().setUp()
        self.shell = TerminalShell(self.opening)
        self.server = ServerProtocol(lambda: self.shell)
        self.server.makeConnection(self.transport)
        self.shell.terminalSize(80, 24)

    def press(self, keys: str) -> str:
        """
        @return: what came to the screen, without what moves the cursor.
        """
        self.server.dataReceived(keys.encode())
        return self.screen()

    def screen(self) -> str:
        """
        @return: what came to the screen since this was last asked.
        """
        data = self.transport.value().decode()
        self.transport.clear()
        return re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|[A-Z])", "", data).replace("\r\n", "\n")

    def line(self) -> str:
        """
        @return: what would be run by the next RETURN.
        """
        return b"".join(self.shell.lineBuffer).decode()

    def test_greeting(self) -> None:
        """
        The greeting comes once, and the screen is left as it was.
        """
        data = self.transport.value()
        self.assertNotIn(b"\x1bc", data)
        self.assertNotIn(b"\x1b[2J", data)
        self.assertEqual(self.screen(), "welcome\n>>> ")
        self.shell.terminalSize(100, 50)
        self.assertEqual((self.screen(), self.shell.width), ("", 100))

    def test_lines(self) -> None:
        """
        What is typed is echoed, run and shown.
        """
        self.screen()
        self.assertEqual(self.press("1 + 1\r"), "1 + 1\n2\n>>> ")
        self.assertEqual(self.press("if 1:\r"), "if 1:\n... ")
        self.assertEqual(self.typed, ["1 + 1", "if 1:"])

    def test_completed(self) -> None:
        """
        TAB writes what is certain, and shows the choice after that.
        """
        self.press("x = sess\t")
        self.assertEqual(self.line(), "x = session")
        self.assertEqual(self.press("\t"), "\nsession(   sessions(\n>>> x = session")
        self.press("s\t")
        self.assertEqual(self.line(), "x = sessions(")
        self.press("\x03")
        self.press("session('\t")
        self.assertEqual(self.line(), "session('0190')")
        self.assertEqual(self.press("\x03nothing.\t")[-8:], "nothing.")

    def test_completedInside(self) -> None:
        """
        What stands after the cursor stays there.
        """
        self.press("sess + 1" + "\x1b[D" * 4 + "\t\t")
        self.assertEqual(self.line(), "session + 1")
        self.assertEqual(self.shell.lineBufferIndex, 7)
        self.assertTrue(self.transport.value() == b"")
        self.press("\t")
        self.press("s")
        self.assertEqual(self.line(), "sessions + 1")

    def test_indented(self) -> None:
        """
        At the beginning of a line of a block TAB indents.
        """
        self.press("if 1:\r\t5\r")
        self.screen()
        self.assertEqual(self.press("\r"), "\n5\n>>> ")

    def test_awaited(self) -> None:
        """
        The prompt comes back with the result.
        """
        self.screen()
        self.assertEqual(self.press("d\r"), "d\n")
        self.waited.callback(5)
        self.assertEqual(self.screen(), "5\n>>> ")

    def test_interrupted(self) -> None:
        """
        After Ctrl-C the prompt is there at once; the result comes above what is
        being typed, and the line goes on as it was.
        """
        self.press("d\r")
        self.assertEqual(self.press("\x03"), "\nKeyboardInterrupt\n>>> ")
        self.press("1+2\x1b[D")
        self.waited.callback(5)
        self.assertEqual(self.screen(), "\r5\n>>> 1+2")
        self.assertEqual(self.press("4\r").splitlines()[-2:], ["43", ">>> "])

    def test_end(self) -> None:
        """
        Ctrl-D, exit() and the end of the input end the session.
        """
        for act in (
            lambda: self.press("\x04"),
            lambda: self.press("exit()\r"),
            lambda: self.shell.inputEnded(),
        ):
            self.setUp()
            act()
            self.assertTrue(self.transport.disconnecting)


class LineTests(_ShellTestCase):
    """
    Lines in, results out.
    """

    def setUp(self) -> None:
        super().setUp()
        self.ends = 0

        def end() -> None:
            self.ends += 1

        self.shell = LineShell(self.opening, "\n", end)
        self.shell.makeConnection(self.transport)

    def said(self) -> bytes:
        """
        @return: all output.
        """
        data: Any = self.transport.value()
        return bytes(data)

    def test_lines(self) -> None:
        """
        Lines come in pieces, with either end; there is neither prompt nor echo.
        """
        for piece in (b"1+", b"1\r\n2", b"\nx", b"=3\nx\n"):
            self.shell.dataReceived(piece)
        self.assertEqual(self.said(), b"2\n2\n3\n")
        self.assertEqual(self.typed, ["1+1", "2", "x=3", "x"])

    def test_inputEnded(self) -> None:
        """
        The last line needs no end, and its result is awaited.
        """
        self.shell.dataReceived(b"d")
        self.shell.inputEnded()
        self.assertEqual(self.ends, 0)
        self.waited.callback(5)
        self.assertEqual((self.said(), self.ends), (b"5\n", 1))

    def test_tooLong(self) -> None:
        """
        A line without an end is not kept for ever.
        """
        self.shell.dataReceived(b"x" * 65537)
        self.assertEqual((self.said(), self.ends), (b"the line is too long\n", 1))
