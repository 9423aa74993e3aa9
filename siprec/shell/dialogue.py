"""
One session of the shell: lines of Python in, results out.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.conch.manhole import ManholeInterpreter
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from siprec.shell.tables import printable

__all__ = ["Dialogue"]


class _Interpreter(ManholeInterpreter):
    """
    Gives what an expression comes to, to the dialogue.
    """

    def displayhook(self, obj: object) -> None:
        """
        See C{sys.displayhook}.
        """
        self.handler.result(obj)


@define(eq=False, repr=False)
class Dialogue:
    """
    Runs lines one after the other.  Where one comes to a Deferred or a
    coroutine, the next one waits for it, and what it fired with is shown.

    @ivar _write: shows text; the second argument says that it comes while a
        line is being typed.
    @ivar _prompt: called when the next line may come, with whether it goes on
        with the one before.
    @ivar _typed: called with each line before it is run.
    @ivar _end: called once when the session is to end.
    """

    _namespace: dict[str, Any]
    _write: Callable[[str, bool], None]
    _prompt: Callable[[bool], None]
    _typed: Callable[[str], None]
    _end: Callable[[], None]
    interpreter: _Interpreter = field(init=False)
    _lines: deque[str] = field(factory=deque, init=False)
    _waiting: Deferred[Any] | None = field(default=None, init=False)
    _finishing: bool = field(default=False, init=False)
    _ended: bool = field(default=False, init=False)
    _running: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        # The built-in ones end the process.
        self._namespace |= {"exit": _Exit(self.end), "quit": _Exit(self.end)}
        self.interpreter = _Interpreter(self, self._namespace)

    def lineReceived(self, line: bytes) -> None:
        """
        A line was typed.
        """
        self._lines.append(line.decode("utf-8", "replace"))
        self._run()

    def interrupt(self) -> bool:
        """
        Wait no longer; what was waited for goes on, and is shown when it comes.

        @return: whether there was anything.
        """
        waited, self._waiting = self._waiting, None
        self._lines.clear()
        self.interpreter.resetBuffer()
        return waited is not None

    def finish(self) -> None:
        """
        There will be no more lines: end after the last result.
        """
        self._finishing = True
        self._lines.append("")  # the last block need not have an end
        self._run()

    def end(self) -> None:
        """
        End now.
        """
        if not self._ended:
            self._ended = True
            self._lines.clear()
            self._end()

    def _run(self) -> None:
        while self._lines and self._waiting is None and not self._ended:
            more = self._runLine(self._lines.popleft())
            if self._waiting is None and not self._ended:
                self._prompt(more)
        if self._finishing and self._waiting is None:
            self.end()

    def _runLine(self, line: str) -> bool:
        """
        @return: whether it goes on in the next line.
        """
        if line:
            self._typed(line)
        self._running = True
        try:
            return bool(self.interpreter.push(line.encode()))
        except SystemExit:
            # It would go up to the reactor, and end the node.
            self.end()
            return False
        except Exception as error:
            # Python 3.13.0 fails to say what is wrong with a line that holds a
            # zero byte; its buffer would keep that line for ever.
            self.interpreter.resetBuffer()
            self.addOutput(f"{type(error).__name__}: {error}\n")
            return False
        finally:
            self._running = False

    # What the interpreter calls.

    def addOutput(self, data: str, isAsync: bool | None = None) -> None:
        """
        Something was printed.
        """
        if not self._ended:
            self._write(printable(data), bool(isAsync))

    def result(self, value: object) -> None:
        """
        An expression came to this.
        """
        if inspect.iscoroutine(value):
            value = Deferred.fromCoroutine(value)
        if isinstance(value, Deferred):
            # Kept open for who holds it: what we return is what it goes on with.
            self._waiting = value
            value.addBoth(self._fired, value)
        else:
            self._show(value, False)

    def _fired(self, result: object, awaited: Deferred[Any]) -> object:
        late = self._waiting is not awaited
        if isinstance(result, Failure):
            name = type(result.value).__name__
            self.addOutput(f"{name}: {result.getErrorMessage()}\n", late)
        else:
            self._show(result, late)
        if not late:
            self._waiting = None
            if not self._running:  # else the line that it came from goes on
                self._prompt(False)
                self._run()
        return None if isinstance(result, Failure) else result

    def _show(self, value: object, late: bool) -> None:
        self._namespace["_"] = value
        if value is not None:
            self.addOutput(f"{value!r}\n", late)


@define(eq=False, repr=False)
class _Exit:
    """
    Ends the session.
    """

    _end: Callable[[], None]

    def __call__(self, code: object = None) -> None:
        self._end()

    def __repr__(self) -> str:
        return "exit(), quit() or Ctrl-D ends the session"
