"""
Operations a second of the session store, and what a session takes in it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.bench import ROOT, YARDSTICK, Bench, yardstick
from benchmarks.figures import Figure


def run(bench: Bench) -> None:
    """
    Run the script of the same name some times.
    """
    calls, foreign = (200, 500) if bench.isQuick else (1000, 5000)
    rounds, yards = [], []
    for number in range(2 if bench.isQuick else 3):
        yards.append(yardstick())
        rounds.append(_script(calls, foreign if number == 0 else 0))
        bench.say(f"store: round {number + 1}")
    first = rounds[0]
    bench.add(Figure("store.snapshot", first["sizes"]["snapshotBytes"], "bytes"))
    bench.add(Figure("store.session", first["sizes"]["serverBytes"], "bytes in the server"))
    for store in ("memory", "redis"):
        for what in ("save", "load"):
            name = f"{store} {what}"
            costs = [each[name]["cpuMicroseconds"] for each in rounds]
            figure = f"store.{store}.{what}"
            bench.add(Figure.ofRounds(f"{figure}.cpu", "µs", costs, yards, YARDSTICK))
            together = [1e6 / each[f"{name} together"]["microseconds"] for each in rounds]
            more: dict[str, Any] = {"moreIsBetter": True, "compared": False}
            bench.add(Figure.ofRounds(f"{figure}.rate", "operations/s", together, **more))
            if store == "redis":
                bench.add(Figure(f"{figure}.roundTrips", first[name]["roundTrips"], "each"))
    for what in ("get", "listByCallID", "list(node)"):
        # With others in the server, of without.
        row, others = first[what], f"without {foreign} others"
        bench.add(
            Figure(
                *(f"store.redis.{what}", row["microseconds"], "µs", row["microsecondsAlone"]),
                *(others, row["ratio"]),
                compared=False,
            )
        )


def _script(calls: int, foreign: int) -> dict[str, dict[str, Any]]:
    """
    @return: its rows, by what they are about.
    """
    command = [sys.executable, os.path.join(ROOT, "benchmarks", "store.py")]
    command += ["--calls", str(calls), "--foreign", str(foreign), "--seconds", "30"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=120)
    rows: dict[str, dict[str, Any]] = {}
    for line in done.stdout.splitlines():
        row = json.loads(line)
        name = row.get("what", "sizes")
        rows[name if row.get("atOnce", 1) == 1 else f"{name} together"] = row
    return rows
