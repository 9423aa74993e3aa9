"""
What a call takes while nothing is said about it: memory, descriptors and CPU time, without
media and with it.
"""

from __future__ import annotations

import resource
import time
from statistics import median

from attrs import evolve

from benchmarks.bench import YARDSTICK, Bench, yardstick
from benchmarks.caller import Caller
from benchmarks.figures import Figure, Limit
from benchmarks.nodes import Node, cpuSeconds
from benchmarks.sender import startSender

STREAMS = 2
RATE = 50.0
LOADS = (1000, 5000)
BUILD = 60  # calls a second, so that the node has time for each
_BATCHES = 3


def run(bench: Bench) -> None:
    """
    Hold calls, in a node that has no others.
    """
    loads = (200,) if bench.isQuick else LOADS
    node = Node(bench.place("idle"), "memory:")
    try:
        ports: list[int] = []

        def collect(found: list[int], stands: bool) -> None:
            ports.extend(found)

        caller = Caller(node.sip, collect)
        caller.run(20, 60)  # warm: imports, caches, the process that renders
        time.sleep(2)
        ports.clear()
        _hold(bench, node, caller, ports, loads)
    finally:
        node.kill()


def _hold(
    bench: Bench, node: Node, caller: Caller, ports: list[int], loads: tuple[int, ...]
) -> None:
    memory, descriptors = node.memory, node.descriptors
    empty = _cpu(node, bench)
    calls, points = 0, []
    for load in loads:
        most = _most(node, calls, descriptors)
        if load > most:
            bench.note(f"idle: {most} calls, not {load}: no more descriptors are allowed")
        goal, held = min(load, most), []
        for part in range(1, _BATCHES + 1):
            caller.run(
                BUILD, (goal - calls) * part // _BATCHES - len(caller.standing) + calls, None
            )
            time.sleep(1)
            held.append((node.memory - memory) / len(caller.standing) / 1000)
        calls = len(caller.standing)
        bench.say(f"idle: {calls} calls are held")
        points.append((float(calls), held[-1]))
        memories = Figure.ofRounds(f"idle.{load}.memory", "kB a call", held, target=Limit(60.0))
        # What is taken in the end counts; the batches say how much it varies.
        bench.add(evolve(memories, value=held[-1]))
        used = (node.descriptors - descriptors) / calls
        bench.add(Figure(f"idle.{load}.descriptors", used, "a call"))
        _addCPU(bench, f"idle.{load}", node, empty, calls)
        if load == loads[0]:
            _media(bench, f"idle.{load}", node, ports, (memory, descriptors), calls)
    axes = ("calls that are held", "kB of memory for a call")
    bench.curve("Memory", "two silent streams", axes, points)


def _most(node: Node, calls: int, descriptors: int) -> int:
    """
    @return: how many calls a node may hold, by its descriptors.
    """
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    each = (node.descriptors - descriptors) / calls if calls else 6.0
    return int((allowed - descriptors - 200) / each)


def _cpu(node: Node, bench: Bench) -> list[float]:
    """
    @return: microseconds of CPU time a second, of some rounds.
    """
    seconds, found = 2.0 if bench.isQuick else 3.0, []
    for _ in range(3):
        before, began = cpuSeconds(node.pid), time.monotonic()
        time.sleep(seconds)
        used = cpuSeconds(node.pid) - before
        found.append(1e6 * used / (time.monotonic() - began))
    return found


def _addCPU(bench: Bench, name: str, node: Node, empty: list[float], calls: int) -> None:
    busy = [(each - median(empty)) / calls for each in _cpu(node, bench)]
    # So little that what else the machine does is most of it: not to be compared.
    bench.add(Figure.ofRounds(*(f"{name}.cpu", "µs a call and second", busy), compared=False))


def _media(
    bench: Bench, name: str, node: Node, ports: list[int], empty: tuple[int, int], calls: int
) -> None:
    """
    The same calls, now that somebody speaks.

    @param empty: memory and descriptors before there were calls.
    """
    memory, descriptors = empty
    seconds = 3.0 if bench.isQuick else 5.0
    sender = startSender(ports, RATE, 600.0)
    try:
        time.sleep(3)
        costs, yards, packets = [], [], 0.0
        for _ in range(2 if bench.isQuick else 3):
            before, count = cpuSeconds(node.pid), node.metric("siprec_media_packets_total")
            time.sleep(seconds)
            used = cpuSeconds(node.pid) - before
            packets = node.metric("siprec_media_packets_total") - count
            costs.append(1e6 * used / max(packets, 1.0))
            yards.append(yardstick())
    finally:
        sender.kill()
        sender.wait()
    bench.say(f"idle: {calls} calls with media, {packets / seconds:.0f} packets a second")
    bench.add(Figure.ofRounds(f"{name}.media.cpu", "µs a packet", costs, yards, YARDSTICK))
    perSecond = [STREAMS * RATE * each for each in costs]
    bench.add(
        Figure.ofRounds(f"{name}.media.call", "µs a call and second", perSecond, compared=False)
    )
    held = (node.memory - memory) / calls / 1000
    bench.add(Figure(f"{name}.media.memory", held, "kB a call"))
    used = (node.descriptors - descriptors) / calls
    bench.add(Figure(f"{name}.media.descriptors", used, "a call"))
    dropped = node.metric("siprec_media_kernel_drops_total")
    bench.add(Figure(f"{name}.media.lost", dropped, "packets", compared=False))
