"""
Seconds of audio that are rendered for each second of CPU time.
"""

from __future__ import annotations

from typing import Any

from benchmarks.bench import YARDSTICK, Bench, yardstick
from benchmarks.figures import Figure, Limit
from benchmarks.render import CODECS, call, calls, measure
from siprec.render.pyav import decodable

FORM = "wav,channels"
TARGET = 2000.0
SHORT = 10  # seconds


def run(bench: Bench) -> None:
    """
    Render a call of each codec.
    """
    for codec in CODECS:
        seconds = 1800 if codec == "PCMU" else 300
        if codec != "PCMU" and codec.lower() not in decodable():
            bench.note(f"render: {codec} needs PyAV (the extra codecs) and was left out")
            continue
        if bench.isQuick:
            seconds //= 3
        directory = bench.place("render")
        call(directory, seconds, codec)
        rates, yards = [], []
        for _ in range(2 if bench.isQuick else 3):
            found = measure(directory, FORM)
            rates.append(found["duration"] / (found["user"] + found["system"]))
            # Of a machine half as fast, both the rate and this are half as much.
            yards.append(1e4 / yardstick())
        more: dict[str, Any] = {"target": Limit(TARGET)} if codec == "PCMU" else {}
        bench.add(
            Figure.ofRounds(
                *(f"render.{codec.lower()}", "s of audio a CPU second", rates, yards),
                f"1e4 / {YARDSTICK}",
                moreIsBetter=True,
                **more,
            )
        )
        bench.say(f"render: {codec}")
    _short(bench)


def _short(bench: Bench) -> None:
    """
    Render many short calls, one after the other.
    """
    directory, count = bench.place("render"), 60 if bench.isQuick else 200
    calls(directory, count + 1, SHORT)
    rates, yards = [], []
    for _ in range(2 if bench.isQuick else 3):
        found = measure(directory, FORM)
        rates.append(count / (found["user"] + found["system"]))
        yards.append(1e4 / yardstick())
    bench.add(
        Figure.ofRounds(
            *("render.short", f"recordings of {SHORT} s a CPU second", rates, yards),
            f"1e4 / {YARDSTICK}",
            moreIsBetter=True,
        )
    )
    bench.say("render: short calls")
