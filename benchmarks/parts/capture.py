"""
What it costs to take packets, beside doing nothing with them, and beside a protocol for each.
"""

from __future__ import annotations

import resource
import shutil
from statistics import median
from typing import Any

from benchmarks.bench import Bench
from benchmarks.capture import runStage
from benchmarks.figures import Figure, Limit
from benchmarks.rtpengine import PROGRAM, isInstalled

RATE = 50.0
BASE = 2000
LOSSLESS = 5000
LOADS = (100, BASE, LOSSLESS, 10_000)

#: A DatagramProtocol for each does not keep up with more on a core, and rtpengine takes more
#: than one for these.
_MOST_PROTOCOLS = 2000
#: Share of the packets that a sender gets to send, less than which spoils a measurement: the
#: cost of looking at a socket is then shared by fewer packets.
_LEAST = 0.9
#: What is measured once for each load: it is far off, and takes as long as the rest.
_ONCE = ("twisted", "rtpengine")
_COST = "microsecondsPerPacket"
_AXES = ("streams of 50 packets a second", "µs of CPU for a packet")


def run(bench: Bench) -> None:
    """
    Measure each load, that which most targets are about more than once.
    """
    loads = (100, BASE) if bench.isQuick else LOADS
    seconds = 2.0 if bench.isQuick else 3.0
    # RTP, RTCP and the journal of each stream, and what a program has open anyway.
    most = (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 100) // 3
    curves: dict[str, list[tuple[float, float]]] = {}
    for load in loads:
        streams = min(load, most)
        if streams < load:
            bench.note(f"capture: {streams} streams, not {load}: no more descriptors are allowed")
        stages = ["floor", "capture"]
        if load <= _MOST_PROTOCOLS:
            stages += ["twisted"] + ["rtpengine"] * isInstalled()
        rounds = 2 if load == BASE and not bench.isQuick else 1
        found: dict[str, list[dict[str, Any]]] = {each: [] for each in stages}
        for number in range(rounds):
            for stage in stages:
                if number and stage in _ONCE:
                    continue
                place = bench.place("capture")
                found[stage].append(runStage(stage, streams, RATE, seconds, place))
                # Not all are kept until the end, as the packets of minutes are gigabytes.
                shutil.rmtree(place, ignore_errors=True)
                bench.say(f"capture: {stage}, {streams} streams, round {number + 1}")
        for stage, results in found.items():
            curves.setdefault(stage, []).append((streams, min(each[_COST] for each in results)))
        _figures(bench, streams, load, found)
    for stage, points in curves.items():
        bench.curve("Capture", stage, _AXES, points)
    if not isInstalled():
        bench.note(f"capture: {PROGRAM} was not measured: it is not installed")


def _figures(bench: Bench, streams: int, load: int, found: dict[str, list[dict[str, Any]]]) -> None:
    name, isBase = f"capture.{load}", load == BASE
    costs = {stage: [each[_COST] for each in results] for stage, results in found.items()}
    captured = found["capture"]
    sent = [each["packetsPerSecond"] / (RATE * streams) for each in found["floor"] + captured]
    if min(sent) < _LEAST:
        bench.note(
            f"capture: with {streams} streams only {100 * min(sent):.0f} % of the packets came: "
            "the machine was too busy to send them, and a packet seems to cost more than it does"
        )
    bench.add(
        Figure.ofRounds(
            *(f"{name}.cpu", "µs a packet", costs["capture"], costs["floor"], "floor"),
            target=Limit(1.8, ofRatio=True) if isBase else None,
            compared=load >= BASE and min(sent) >= _LEAST,
        )
    )
    for stage, label in (("twisted", "protocols"), ("rtpengine", "rtpengine")):
        if stage in costs:
            target = Limit(3.0, ofRatio=True) if isBase and stage == "twisted" else None
            bench.add(
                Figure.ofRounds(
                    *(f"{name}.{label}", "µs a packet", costs[stage]),
                    [median(costs["capture"])],
                    "capture",
                    moreIsBetter=True,
                    target=target,
                    compared=False,
                )
            )
    lost = [float(each["kernelDrops"] + each["unwritten"]) for each in captured]
    target = Limit(0) if load == LOSSLESS and streams == load else None
    bench.add(Figure.ofRounds(f"{name}.lost", "packets", lost, target=target, compared=False))
    bench.add(
        Figure.ofRounds(
            *(f"{name}.delay", "ms", [each["reactorDelayMs"] for each in captured]),
            *([each["idleDelayMs"] for each in captured], "idle reactor"),
            target=Limit(20.0) if isBase else None,
            compared=False,
        )
    )
