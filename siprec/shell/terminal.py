"""
How a session of the shell looks: on a terminal, and where there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.conch.manhole import Manhole
from twisted.internet.interfaces import ITransport
from twisted.internet.protocol import Protocol

from siprec.shell.completion import common, complete
from siprec.shell.dialogue import Dialogue

#: Longest line that is taken from a program, in bytes.
_LONGEST = 65536

__all__ = ["LineShell", "Opening", "TerminalShell"]


@frozen
class Opening:
    """
    What a session begins with.

    @ivar greeting: shown first on a terminal.
    @ivar typed: called with each line before it is run.
    """

    namespace: Callable[[], dict[str, Any]]
    greeting: str
    typed: Callable[[str], None]


class TerminalShell(Manhole):
    """
    Lines are edited here, with a history, completion and a prompt.
    """

    def __init__(self, opening: Opening) -> None:
        super().__init__()
        self._opening = opening
        self._greeted = False

    def connectionMade(self) -> None:
        """
        Begin.
        """
        super().connectionMade()
        self._dialogue = Dialogue(
            self._opening.namespace(),
            write=self._show,
            prompt=self._ask,
            typed=self._opening.typed,
            end=self.terminal.loseConnection,
        )
        self.interpreter = self._dialogue.interpreter

    def initializeScreen(self) -> None:
        """
        Leave what is on the screen: it may be worth reading.
        """
        self.setInsertMode()

    def terminalSize(self, width: int, height: int) -> None:
        """
        The terminal is so large, in characters.
        """
        self.width, self.height = width, height
        if not self._greeted:
            self._greeted = True
            self.terminal.write(f"{self._opening.greeting}\n")
            self.drawInputLine()

    def lineReceived(self, line: bytes) -> None:
        """
        A line was entered.
        """
        self._dialogue.lineReceived(line)

    def inputEnded(self) -> None:
        """
        Nothing more will be typed.
        """
        self._dialogue.finish()

    def handle_INT(self) -> None:
        """
        Ctrl-C: give up the line, or the wait for a result.
        """
        self._dialogue.interrupt()
        super().handle_INT()

    def handle_TAB(self) -> None:
        """
        Complete the name before the cursor, or show what it could be.
        """
        before = self.currentLineBuffer()[0].decode("ascii")
        if self.pn and not before.strip():
            self._insert(" " * 4)
            return
        piece, candidates = complete(self.interpreter.locals, before)
        found = common(candidates)
        if len(found) > len(piece):
            self._insert(found[len(piece) :])
        elif len(candidates) > 1:
            self._offer(candidates)

    def _insert(self, text: str) -> None:
        for character in text:
            self.characterReceived(character.encode(), False)

    def _offer(self, candidates: list[str]) -> None:
        self.terminal.nextLine()
        width = max(len(each) for each in candidates) + 2
        columns = max(self.width // width, 1)
        for start in range(0, len(candidates), columns):
            row = candidates[start : start + columns]
            self.terminal.write("".join(each.ljust(width) for each in row).rstrip())
            self.terminal.nextLine()
        self._drawAgain()

    def _show(self, text: str, late: bool) -> None:
        if not late:
            self.terminal.write(text)
            return
        # Manhole.addOutput would put the line that is being typed back wrongly.
        self.terminal.eraseLine()
        self.terminal.write("\r")
        self.terminal.write(text)
        self._drawAgain()

    def _drawAgain(self) -> None:
        self.drawInputLine()
        after = len(self.lineBuffer) - self.lineBufferIndex
        if after:
            self.terminal.cursorBackward(after)

    def _ask(self, more: bool) -> None:
        self.pn = int(more)
        if self._needsNewline():
            self.terminal.nextLine()
        self.terminal.write(self.ps[self.pn])


class LineShell(Protocol):
    """
    Plain lines in, results out, without prompts: for other programs.

    @ivar _newline: what ends a line of output.
    """

    def __init__(self, opening: Opening, newline: str, end: Callable[[], None]) -> None:
        self._newline = newline
        self._rest = b""
        self._dialogue = Dialogue(
            opening.namespace(),
            write=self._show,
            prompt=lambda more: None,
            typed=opening.typed,
            end=end,
        )

    def dataReceived(self, data: bytes) -> None:
        """
        Lines, or pieces of them, came.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self.lineReceived(line)
        if len(self._rest) > _LONGEST:
            self._show("the line is too long\n", False)
            self._dialogue.end()

    def lineReceived(self, line: bytes) -> None:
        """
        A line came.
        """
        self._dialogue.lineReceived(line.rstrip(b"\r"))

    def inputEnded(self) -> None:
        """
        Nothing more will come.
        """
        if self._rest:
            self.lineReceived(self._rest)  # it need not have an end
        self._dialogue.finish()

    def _show(self, text: str, late: bool) -> None:
        transport: ITransport | None = self.transport
        assert transport is not None
        transport.write(text.replace("\n", self._newline).encode("utf-8"))
