"""
All parts of the benchmarks: what is measured, kept, compared and printed.

Without a command they run, and their results are kept as the newest of this machine.
C{check} runs them, too, but compares with what is kept, by ratios, and says by its exit status
(1) whether something got slower than the noise explains.  C{show} prints what is kept::

    python -m benchmarks --quick
    python -m benchmarks --parts capture,store
    python -m benchmarks check --quick
    python -m benchmarks show --rst
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import import_module

from benchmarks.bench import ROOT, Bench
from benchmarks.comparing import compare
from benchmarks.figures import Report
from benchmarks.plots import draw
from benchmarks.results import FOLDER, keep, machine, pathOf, read, write
from benchmarks.sizing import sizingRows
from benchmarks.tables import aligned, changeRows, figureRows, restructured, targetRows

__all__ = ["PARTS", "main"]

PARTS = ("start", "capture", "signalling", "idle", "store", "render", "scale")

#: Tolerance above which a figure that is not slower proves nothing.
BLUNT = 0.5

Part = Callable[[Bench], None]


def load(name: str) -> Part:
    """
    @return: what runs a part.
    """
    run: Part = import_module(f"benchmarks.parts.{name}").run
    return run


def runParts(parts: Sequence[str], isQuick: bool) -> Report:
    """
    Run parts one after the other; one that fails does not keep the others from running.
    """
    # Their processes find this package, and may have as many sockets as is allowed.
    path = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{ROOT}{os.pathsep}{path}" if path else ROOT
    # Without it, each process would compile the recorder anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    folder = tempfile.mkdtemp(prefix="bench-")
    bench = Bench(isQuick, folder)
    bench.report.machine = {**machine(), "quick": isQuick}
    try:
        for part in parts:
            began = time.monotonic()
            try:
                load(part)(bench)
            except Exception as error:
                bench.note(f"{part}: failed: {type(error).__name__}: {error}")
            bench.say(f"{part}: took {time.monotonic() - began:.0f} s")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    bench.report.machine["seconds"] = round(bench.seconds)
    return bench.report


def merged(report: Report, path: str) -> Report:
    """
    @return: with the parts that were not run as they are kept.
    """
    try:
        old = read(path)
    except (OSError, ValueError):
        return report
    parts = {each.name.partition(".")[0] for each in report.figures}
    titles = {each.title for each in report.curves}
    kept = [each for each in old.figures if each.name.partition(".")[0] not in parts]
    curves = [each for each in old.curves if each.title not in titles]
    notes = [each for each in old.notes if each.partition(":")[0] not in parts]
    return Report(
        report.machine, kept + report.figures, curves + report.curves, notes + report.notes
    )


def show(report: Report, isRST: bool) -> None:
    """
    Print results.
    """
    facts = ", ".join(f"{name} {value}" for name, value in report.machine.items())
    table = restructured if isRST else aligned
    print(f"{facts}\n")
    for rows in (figureRows(report), targetRows(report), sizingRows(report)):
        print(table(rows), end="\n\n")
    for note in report.notes:
        print(f"- {note}")


def check(before: Report, now: Report) -> int:
    """
    Print what differs.

    @return: the exit status.
    """
    changes = compare(before, now)
    print(aligned(changeRows(changes)))
    worse = [each for each in changes if each.isWorse]
    print(f"\n{len(changes)} figures compared, {len(worse)} got slower")
    blunt = [each for each in changes if each.tolerance > BLUNT]
    if blunt:
        print(
            f"{len(blunt)} of them say little: their rounds differ too much from one another; "
            "do it again where nothing else runs"
        )
    for name in ("python", "processors", "quick"):
        first, second = before.machine.get(name), now.machine.get(name)
        if first != second:
            print(f"they are not of one kind: {name} was {first} and is {second}")
    return 1 if worse else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """
    @raise SystemExit: they are not understood, or help was asked for.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("command", nargs="?", default="run", choices=("run", "check", "show"))
    parser.add_argument("--parts", default=",".join(PARTS), help="some of: %(default)s")
    parser.add_argument("--quick", action="store_true", help="a minute or two, less exact")
    parser.add_argument("--rst", action="store_true", help="the tables as reStructuredText")
    parser.add_argument("--folder", default=FOLDER, help="of the results: %(default)s")
    parser.add_argument("--against", help="file to check against, instead of what is kept")
    parser.add_argument("--new", help="file to check or to show, instead of running")
    options = parser.parse_args(arguments)
    options.parts = options.parts.split(",")
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"{part}: no such part; there are {', '.join(PARTS)}")
    return options


def _before(path: str) -> Report:
    """
    @return: what a check compares with.
    @raise OSError: there is nothing, and what to do about it.
    @raise ValueError: the file has no results in it.
    """
    try:
        return read(path)
    except FileNotFoundError as error:
        raise OSError(
            f"{path}: there are no results of this machine to compare with. "
            "Get some from the program as it was before the change"
        ) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Do what the command line says.

    @return: the exit status: 1 if something got slower, or a part failed; 2 if there is
        nothing to compare with or to show.
    """
    options = parse(arguments)
    kept = pathOf(machine(), options.folder)
    try:
        if options.command == "show":
            show(read(options.new or kept), options.rst)
            return 0
        # Before anything is measured: minutes for nothing would be a pity.
        before = _before(options.against or kept) if options.command == "check" else None
        now = read(options.new) if options.new else runParts(options.parts, options.quick)
    except (OSError, ValueError) as error:
        print(f"{error}; make bench (python -m benchmarks) measures and keeps", file=sys.stderr)
        return 2
    failed = any(": failed: " in note for note in now.notes)
    if before is not None:
        if not options.new:
            write(now, pathOf(now.machine, options.folder, "-check"))
        return max(check(before, now), int(failed))
    now = merged(now, kept)
    print(keep(now, options.folder), file=sys.stderr)
    try:
        draw(now.curves, options.folder)
    except ImportError as error:
        now.notes.append(f"no plots: they need matplotlib, the extra bench ({error})")
    show(now, options.rst)
    return int(failed)
