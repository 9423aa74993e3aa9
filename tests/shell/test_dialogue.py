"""
Tests of L{siprec.shell.dialogue}.
"""

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from siprec.shell.dialogue import Dialogue


class DialogueTests(SynchronousTestCase):
    """
    Lines in, results out.
    """

    def setUp(self) -> None:
        self.shown: list[str] = []
        self.late: list[str] = []
        self.prompts: list[bool] = []
        self.typed: list[str] = []
        self.ends = 0
        self.namespace: dict[str, Any] = {}

        def end() -> None:
            self.ends += 1

        def write(text: str, late: bool) -> None:
            (self.late if late else self.shown).append(text)

        self.dialogue = Dialogue(self.namespace, write, self.prompts.append, self.typed.append, end)

    def say(self, *lines: str) -> str:
        """
        @return: what was shown.
        """
        for line in lines:
            self.dialogue.lineReceived(line.encode())
        shown, self.shown[:] = "".join(self.shown), []
        return shown

    def test_results(self) -> None:
        """
        What an expression comes to is shown, and kept as C{_}; nothing is not.
        """
        self.assertEqual(self.say("1 + 1"), "2\n")
        self.assertEqual(self.say("_ + 1"), "3\n")
        self.assertEqual(self.say("None", "x = 5"), "")
        self.assertEqual(self.prompts, [False] * 4)

    def test_blocks(self) -> None:
        """
        A block goes on until an empty line; what is printed is shown.
        """
        self.assertEqual(self.say("for x in (1, 2):", "    print(x)"), "")
        self.assertEqual(self.prompts, [True, True])
        self.assertEqual(self.say("").replace("\n", " "), "1 2 ")
        self.assertEqual(self.prompts[-1], False)

    def test_typed(self) -> None:
        """
        Each line is told before it is run; empty ones are not worth it.
        """
        self.say("1", "", "undefined")
        self.assertEqual(self.typed, ["1", "undefined"])

    def test_errors(self) -> None:
        """
        Errors are shown with their traceback, and the dialogue goes on.
        """
        self.assertIn("ZeroDivisionError", self.say("1 / 0"))
        self.assertIn("SyntaxError", self.say("1 +* 1"))
        self.assertEqual(self.say("2"), "2\n")

    def test_notUTF8(self) -> None:
        """
        Bytes that are no text are no line of Python.
        """
        self.dialogue.lineReceived(b"\xff\x00")
        self.assertIn("Error", self.say())

    def test_brokenInterpreter(self) -> None:
        """
        If the interpreter itself fails with a line, that is said, and the next
        line is a new one.
        """

        def push(line: bytes) -> bool:
            self.dialogue.interpreter.buffer.append("left")
            raise TypeError("nothing to compare")

        self.patch(self.dialogue.interpreter, "push", push)
        self.assertIn("TypeError: nothing to compare", self.say("1"))
        self.assertEqual(self.dialogue.interpreter.buffer, [])

    def test_hostileText(self) -> None:
        """
        What is printed cannot steer the terminal.
        """
        self.assertEqual(self.say("print(chr(27) + chr(0xdcff))"), "\\x1b\\udcff\n")

    def test_fired(self) -> None:
        """
        A Deferred that has fired is its result; a failure is said in a line,
        and is not left for the log.
        """
        self.namespace["d"] = succeed("text")
        self.assertEqual(self.say("d", "_"), "'text'\n'text'\n")
        self.namespace["d"] = fail(ValueError("no"))
        self.assertEqual(self.say("d"), "ValueError: no\n")
        self.assertEqual(self.prompts, [False] * 3)

    def test_awaited(self) -> None:
        """
        The lines after a Deferred wait for it.
        """
        waited: Deferred[int] = Deferred()
        self.namespace["d"] = waited
        self.assertEqual(self.say("d", "_ * 2"), "")
        self.assertEqual((self.prompts, self.typed), ([], ["d"]))
        waited.callback(21)
        self.assertEqual(self.say(), "21\n42\n")
        self.assertEqual(self.prompts, [False, False])
        self.assertEqual(self.successResultOf(waited), 21)

    def test_coroutine(self) -> None:
        """
        A coroutine is run and awaited.
        """
        waited: Deferred[int] = Deferred()

        async def ask() -> int:
            return await waited + 1

        self.namespace["ask"] = ask
        self.assertEqual(self.say("ask()"), "")
        waited.callback(1)
        self.assertEqual(self.say(), "2\n")

    def test_interrupted(self) -> None:
        """
        Who waits no longer gets the result when it comes, apart from what is
        being typed.
        """
        waited: Deferred[str] = Deferred()
        self.namespace["d"] = waited
        self.say("d", "'never run'")
        self.assertTrue(self.dialogue.interrupt())
        self.assertFalse(self.dialogue.interrupt())
        self.assertEqual(self.say("1"), "1\n")
        waited.callback("there")
        self.assertEqual((self.late, self.say()), (["'there'\n"], ""))
        failing: Deferred[str] = Deferred()
        self.namespace["d"] = failing
        self.say("d")
        self.dialogue.interrupt()
        failing.errback(KeyError("k"))
        self.assertEqual(self.late[1:], ["KeyError: 'k'\n"])

    def test_interruptedBlock(self) -> None:
        """
        An interrupt forgets the block that was begun.
        """
        self.say("if True:")
        self.dialogue.interrupt()
        self.assertEqual(self.say("7"), "7\n")

    def test_exit(self) -> None:
        """
        Python's ways to end a program end the session, and run nothing more.
        """
        for line in ("exit()", "quit(3)", "raise SystemExit", "import sys; sys.exit(1)"):
            self.setUp()
            self.assertEqual(self.say(line, "print(1)"), "")
            self.assertEqual(self.ends, 1)
        self.setUp()
        self.assertIn("Ctrl-D ends the session", self.say("exit"))

    def test_finish(self) -> None:
        """
        At the end of the input the last block is run, the last result is
        awaited, and the session ends, once.
        """
        waited: Deferred[int] = Deferred()
        self.namespace["d"] = waited
        self.say("if True:", "    d")
        self.dialogue.finish()
        self.assertEqual(self.ends, 0)
        waited.callback(5)
        self.assertEqual((self.say(), self.ends), ("5\n", 1))
        self.dialogue.finish()
        self.assertEqual(self.ends, 1)

    def test_lateAfterEnd(self) -> None:
        """
        Nothing is shown to who has left.
        """
        waited: Deferred[int] = Deferred()
        self.namespace["d"] = waited
        self.say("d")
        self.dialogue.end()
        waited.callback(5)
        self.assertEqual((self.say(), self.late), ("", []))
