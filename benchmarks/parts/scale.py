"""
Whether a call costs more where there are more calls, or more nodes.
"""

from __future__ import annotations

import threading
import time

from benchmarks.bench import Bench
from benchmarks.caller import Caller
from benchmarks.figures import Figure, Limit, fit
from benchmarks.nodes import Node, Redis, cpuSeconds

RATE = 25
HELD = (0, 400, 800, 1600)
BUILD = 40
#: A call costs more where there are more only if the line rises by more than this.
ERRORS = 2.0


def run(bench: Bench) -> None:
    """
    Measure more and more calls in one node, and then two nodes on one Redis server.
    """
    folder = bench.place("scale")
    redis = Redis(folder)
    try:
        _calls(bench, folder, redis)
    finally:
        redis.stop()
    folder = bench.place("scale")
    redis = Redis(folder)
    try:
        _nodes(bench, folder, redis)
    finally:
        redis.stop()


def _calls(bench: Bench, folder: str, redis: Redis) -> None:
    held = (0, 100, 200) if bench.isQuick else HELD
    points: list[tuple[float, float]] = []
    node = Node(folder, redis.url)
    try:
        caller = Caller(node.sip)
        _warm(caller)
        for load in held:
            caller.run(BUILD, load - len(caller.standing), None)
            points += [(float(load), _cost([node], [caller], bench)) for _ in range(2)]
            bench.say(f"scale: {points[-1][1]:.1f} ms for a call beside {load} held ones")
    finally:
        node.kill()
    _slope(bench, "scale.calls", "1,000 held calls", [(x / 1000, y) for x, y in points])
    axes = ("other calls that are held", "ms of CPU for a call")
    bench.curve("Scale", "Redis store", axes, points)


def _nodes(bench: Bench, folder: str, redis: Redis) -> None:
    nodes = [Node(folder, redis.url, name="first", ports="10000-29998")]
    try:
        callers = [Caller(nodes[0].sip)]
        _warm(callers[0])
        rounds = 2 if bench.isQuick else 4
        alone = [_cost(nodes, callers, bench) for _ in range(rounds)]
        nodes.append(Node(folder, redis.url, name="second", ports="30000-49998"))
        callers.append(Caller(nodes[1].sip))
        _warm(callers[1])
        both = [_cost(nodes, callers, bench) for _ in range(rounds)]
    finally:
        for node in nodes:
            node.kill()
    points = [(1.0, each) for each in alone] + [(2.0, each) for each in both]
    _slope(bench, "scale.nodes", "node more", points)
    figure = Figure.ofRounds("scale.two", "ms a call", both, alone, "one node alone")
    bench.add(figure)


def _warm(caller: Caller) -> None:
    caller.run(20, 40)
    time.sleep(1)


def _cost(nodes: list[Node], callers: list[Caller], bench: Bench) -> float:
    """
    Call all nodes at once, each as often.

    @return: milliseconds of CPU time for a call, by all nodes and until all are finished.
    """
    count = RATE * (2 if bench.isQuick else 4)
    before = sum(cpuSeconds(each.pid) for each in nodes)
    done = [each.metric("siprec_recordings_total") for each in nodes]
    threads = [threading.Thread(target=each.run, args=(RATE, count)) for each in callers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until = time.monotonic() + 30
    while time.monotonic() < until and any(
        node.metric("siprec_recordings_total") - first < len(caller.waits)
        for node, first, caller in zip(nodes, done, callers, strict=True)
    ):
        time.sleep(0.25)
    used = sum(cpuSeconds(each.pid) for each in nodes) - before
    return 1000 * used / max(sum(len(each.waits) for each in callers), 1)


def _slope(bench: Bench, name: str, per: str, points: list[tuple[float, float]]) -> None:
    """
    A line through the points; what it rises by is in percent of the cost at no load.
    """
    line = fit(points)
    slope, error = (100 * each / line.intercept for each in (line.slope, line.error))
    bench.add(
        Figure(
            *(name, slope, f"% for each {per}", error, "standard error"),
            slope / error if error else None,
            target=Limit(ERRORS, ofRatio=True),
            compared=False,
        )
    )
    bench.say(f"{name}: {slope:+.1f} % for each {per}, standard error {error:.1f} %")
