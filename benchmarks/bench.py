"""
What all parts of the benchmarks use: where they write, how long they may take, and the
yardstick for what has no other reference.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from attrs import define, field

from benchmarks.figures import Curve, Figure, Report

__all__ = ["ROOT", "YARDSTICK", "Bench", "cpuOf", "yardstick"]

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

#: What the reference is called that L{yardstick} measures.
YARDSTICK = "yardstick"

_TURNS = 200


def yardstick() -> float:
    """
    Do what Python programs do: split text, fill dictionaries, call functions.

    @return: microseconds of CPU time for a fixed amount of it, the least of five: it says
        how fast the machine is now, with all that others do on it.
    """
    text = b"\r\n".join(b"Name-%d: value %d;tag=%d" % (n, n, n) for n in range(40))
    times = []
    for _ in range(5):
        began = time.thread_time()
        for _ in range(_TURNS):
            _parse(text)
        times.append(time.thread_time() - began)
    return min(times) / _TURNS * 1e6


def _parse(text: bytes) -> Mapping[str, str]:
    found = {}
    for line in text.split(b"\r\n"):
        name, _, value = line.decode().partition(": ")
        found[name.lower()] = value.partition(";")[0].strip()
    return found


def cpuOf(command: Sequence[str]) -> float:
    """
    Run a program.

    @return: its CPU time, in seconds.
    @raise CalledProcessError: it failed.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@define(eq=False)
class Bench:
    """
    One run.

    @ivar isQuick: about a minute in all, instead of ten.
    @ivar folder: a temporary one.
    """

    isQuick: bool
    folder: str
    report: Report = field(factory=Report)
    _began: float = field(factory=time.monotonic)

    def place(self, name: str) -> str:
        """
        @return: an empty folder.
        """
        path = os.path.join(self.folder, f"{name}-{len(os.listdir(self.folder))}")
        os.mkdir(path)
        return path

    def add(self, figure: Figure) -> None:
        """
        Take a figure into the report.
        """
        self.report.add(figure)

    def curve(
        self, title: str, label: str, axes: tuple[str, str], points: Sequence[tuple[float, float]]
    ) -> None:
        """
        Take a curve into the report, if there is a point.

        @param axes: what the load and the cost are.
        """
        if points:
            self.report.curves.append(Curve(title, label, *axes, tuple(points)))

    def note(self, text: str) -> None:
        """
        Tell the reader of the report, and who waits for it.
        """
        self.report.notes.append(text)
        self.say(text)

    def say(self, text: str) -> None:
        """
        Tell who waits how far it is.
        """
        print(f"[{self.seconds:5.0f} s] {text}", file=sys.stderr, flush=True)

    @property
    def seconds(self) -> float:
        """
        How long it has taken so far.
        """
        return time.monotonic() - self._began
