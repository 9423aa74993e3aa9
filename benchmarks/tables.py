"""
Figures as tables, for a terminal and for the documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.comparing import Change
from benchmarks.figures import Figure, Report

__all__ = ["aligned", "changeRows", "figureRows", "number", "restructured", "targetRows"]

Rows = Sequence[Sequence[str]]

_VERDICTS = {True: "met", False: "not met", None: ""}


def number(value: float | None) -> str:
    """
    @return: with three digits that count, or whole above that.
    """
    if value is None:
        return ""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    text = f"{value:.3g}"
    return f"{value:.6f}".rstrip("0") if "e" in text else text


def figureRows(report: Report) -> Rows:
    """
    @return: all figures, the names of the columns first.
    """
    rows = [("figure", "value", "unit", "reference", "ratio", "noise", "target", "")]
    for each in report.figures:
        reference = f"{number(each.reference)} {each.referenceName}".strip()
        noise = f"{100 * each.noise:.0f} %" if each.noise else ""
        rows.append(
            (
                *(each.name, number(each.value), each.unit, reference, number(each.ratio)),
                *(noise, _target(each), _VERDICTS[each.isMet]),
            )
        )
    return rows


def targetRows(report: Report) -> Rows:
    """
    @return: the figures that have a target.
    """
    rows = [("figure", "target", "found", "")]
    for each in report.figures:
        if each.target is not None:
            found = each.ratio if each.target.ofRatio else each.value
            unit = "times" if each.target.ofRatio else each.unit
            verdict = _VERDICTS[each.isMet] or "not measured"
            rows.append((each.name, _target(each), f"{number(found)} {unit}".strip(), verdict))
    return rows


def _target(figure: Figure) -> str:
    if figure.target is None:
        return ""
    sign = ">=" if figure.moreIsBetter else "<="
    of = f" x {figure.referenceName}" if figure.target.ofRatio else f" {figure.unit}"
    return f"{sign} {number(figure.target.value)}{of}"


def changeRows(changes: Sequence[Change]) -> Rows:
    """
    @return: what two runs differ in.
    """
    rows = [("figure", "before", "now", "", "times as slow", "tolerance", "")]
    for each in changes:
        verdict = "SLOWER" if each.isWorse else "faster" if each.isBetter else ""
        rows.append(
            (
                *(each.name, number(each.before), number(each.now), each.unit),
                *(f"{each.slower:.2f}", f"{100 * each.tolerance:.0f} %", verdict),
            )
        )
    return rows


def aligned(rows: Rows) -> str:
    """
    @param rows: the names of the columns first.
    @return: as columns of text, with a line under the names.
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]

    def lines() -> Iterator[str]:
        for position, row in enumerate(rows):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            yield "  ".join(cells).rstrip()
            if position == 0:
                yield "  ".join("-" * width for width in widths)

    return "\n".join(lines())


def restructured(rows: Rows) -> str:
    """
    @return: as a table of reStructuredText.
    """
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        for position, cell in enumerate(row):
            lines.append(f"   {'*' if position == 0 else ' '} - {cell}".rstrip())
    return "\n".join(lines)
