"""
Results as an operator reads them: tables and lists of facts, as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from attrs import frozen

__all__ = ["Facts", "Note", "Report", "Table", "ago", "duration", "moment", "printable"]

#: Longest text of one cell; what is longer is cut, as one line should be one row.
_WIDEST = 60

# Text of peers must not move the cursor of who reads it, or worse: terminals obey
# the control characters C0 and C1.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_LINES_KEPT = {code: text for code, text in _CONTROLS.items() if chr(code) not in "\n\t"}


def printable(text: str) -> str:
    """
    @return: the text without what a terminal would obey or could not show;
        lines and tabs stay.
    """
    return text.translate(_LINES_KEPT).encode("utf-8", "backslashreplace").decode("utf-8")


def duration(seconds: float | None) -> str:
    """
    @return: such as C{0:01:05}, in hours, minutes and seconds; empty for C{None}.
    """
    if seconds is None:
        return ""
    whole = max(int(seconds), 0)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def ago(then: float | None, now: float) -> str:
    """
    @return: how long ago that was, such as C{0.4 s}; C{never} for C{None}.
    """
    return "never" if then is None else f"{max(now - then, 0.0):.1f} s"


def moment(seconds: float | None) -> str:
    """
    @return: a time in UTC, to the second; empty for C{None}.
    """
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


class _Shown:
    """
    A result that a Python prompt shows as the text it is.
    """

    def __repr__(self) -> str:
        return str(self)


@frozen(repr=False)
class Note(_Shown):
    """
    A sentence.
    """

    text: str

    def __str__(self) -> str:
        return self.text


@frozen(repr=False)
class Facts(_Shown):
    """
    Names and their values, one pair a line.
    """

    pairs: tuple[tuple[str, object], ...]

    def __str__(self) -> str:
        width = max((len(name) for name, _ in self.pairs), default=0)
        return "\n".join(f"{name:{width}}  {_flat(value)}".rstrip() for name, value in self.pairs)


@frozen(repr=False)
class Table(_Shown):
    """
    Rows below a head; columns of nothing but numbers stand to the right.

    @ivar empty: what to say where there is no row.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    empty: str = "nothing"

    @classmethod
    def of(cls, head: str, rows: Iterable[Sequence[object]], empty: str = "nothing") -> Table:
        """
        @param head: the names of the columns, with bars between them.
        """
        return cls(tuple(head.split("|")), tuple(tuple(row) for row in rows), empty)

    def __str__(self) -> str:
        if not self.rows:
            return self.empty
        cells = [self.head, *(tuple(_cell(value) for value in row) for row in self.rows)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(self.head))]
        numbers = [
            all(isinstance(row[column], int | float | None) for row in self.rows)
            for column in range(len(self.head))
        ]
        return "\n".join(_line(row, widths, numbers) for row in cells)


@frozen(repr=False)
class Report(_Shown):
    """
    Several results, each below its title.
    """

    parts: tuple[tuple[str, object], ...]

    def __str__(self) -> str:
        return "\n\n".join(f"{title}\n{part}" if title else str(part) for title, part in self.parts)


def _line(cells: Sequence[str], widths: Sequence[int], numbers: Sequence[bool]) -> str:
    return "  ".join(
        cell.rjust(width) if number else cell.ljust(width)
        for cell, width, number in zip(cells, widths, numbers, strict=True)
    ).rstrip()


def _flat(value: object) -> str:
    """
    @return: a value as one line.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}" if abs(value) < 1e6 else f"{value:.0f}"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(_flat(each) for each in value)
    return str(value).translate(_CONTROLS)


def _cell(value: object) -> str:
    text = _flat(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."
