"""
Tests of L{siprec.shell.completion}.
"""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from siprec.shell.command import Command
from siprec.shell.completion import common, complete


class _Broken:
    """
    Does not like to be looked at.
    """

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __dir__(self) -> list[str]:
        raise RuntimeError("dir")


class _Thing:
    """
    Has attributes.
    """

    size = 5
    kind = str
    _private = 1

    @property
    def self(self) -> "_Thing":
        """
        Itself.
        """
        return self

    def method(self) -> None:
        """
        Does nothing.
        """


class CompletionTests(SynchronousTestCase):
    """
    The piece before the cursor, and what it could become.
    """

    namespace: dict[str, object] = {
        "session": Command("session", lambda id: id, lambda: ["0190-a", "0191-b"]),
        "sessions": Command("sessions", lambda: None),
        "thing": _Thing(),
        "broken": _Broken(),
        "__builtins__": {},
    }

    def check(self, before: str, piece: str, *candidates: str) -> None:
        """
        Assert what is offered.
        """
        self.assertEqual(complete(self.namespace, before), (piece, list(candidates)))

    def test_names(self) -> None:
        """
        Names of the namespace, anywhere in a line; what can be called gets its
        parenthesis.
        """
        self.check("sess", "sess", "session(", "sessions(")
        self.check("x = [thi", "thi", "thing")
        self.check("", "", "broken", "session(", "sessions(", "thing")

    def test_builtins(self) -> None:
        """
        Python's own names are offered once one is begun.
        """
        self.check("print(enumer", "enumer", "enumerate")
        self.check("sort", "sort", "sorted(")

    def test_attributes(self) -> None:
        """
        Attributes of what a dotted name leads to; private ones only if asked
        for.
        """
        self.check("thing.", "", "kind", "method(", "self", "size")
        self.check("len(thing.self.self.si", "si", "size")
        self.check("thing._p", "_p", "_private")

    def test_arguments(self) -> None:
        """
        In a text that is a command's first argument: what the command takes.
        """
        self.check("session('", "", "0190-a')", "0191-b')")
        self.check('x = session("0191', "0191", '0191-b")')
        self.check("print('01", "01")

    def test_nothing(self) -> None:
        """
        Nothing is offered where nothing is known, and nothing is called to
        find out.
        """
        self.check("unknown.x", "x")
        self.check("broken.x", "x")
        self.check("thing.nothing.x", "x")
        self.check("thing.method().s", "")
        self.check("'text thing.s'.", "")
        self.check("5 ", "", "broken", "session(", "sessions(", "thing")

    def test_common(self) -> None:
        """
        What all candidates begin with can be typed at once.
        """
        self.assertEqual(common(["session(", "sessions("]), "session")
        self.assertEqual((common(["one"]), common([]), common(["a", "b"])), ("one", "", ""))
