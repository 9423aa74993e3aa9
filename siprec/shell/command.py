"""
A command of the shell.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from attrs import field, frozen

__all__ = ["Command"]


def _nothing() -> Iterable[str]:
    return ()


@frozen(eq=False, repr=False)
class Command:
    """
    A function that an operator types; its docstring is its help.

    @ivar choices: what its first argument could be, for completion.
    """

    name: str
    _function: Callable[..., Any]
    choices: Callable[[], Iterable[str]] = field(default=_nothing)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"{self.usage}: {self.summary}"

    @property
    def usage(self) -> str:
        """
        How it is typed.
        """
        names = list(inspect.signature(self._function).parameters)
        return f"{self.name}({', '.join(names)})"

    @property
    def summary(self) -> str:
        """
        What it shows or does, in one line.
        """
        return self.text.partition("\n")[0]

    @property
    def text(self) -> str:
        """
        All of its help.
        """
        return inspect.getdoc(self._function) or ""
