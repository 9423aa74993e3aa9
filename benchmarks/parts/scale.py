"""
Whether a call costs more where there are more calls, or more nodes.

A cost by itself says little: the machine is now quicker and now slower, and what is looked for
is small.  So each round has its like in another node that stays as it is, beside which the next
one is measured; what counts is the ratio of the two.  What nodes spend while nobody calls is
taken off: that is the part C{idle}.
"""

from __future__ import annotations

import threading
import time
from statistics import median

from attrs import define, field

from benchmarks.bench import Bench
from benchmarks.caller import Caller
from benchmarks.figures import Figure, Fit, Limit, fit
from benchmarks.nodes import Node, Redis, cpuSeconds

RATE = 40
HELD = (0, 1200)
ROUNDS = 4
BUILD = 60
#: A call costs more where there are more only if the line rises by more than this.
ERRORS = 2.0

#: Seconds that a recording without media takes to be finished after the BYE, about.
_FINISHING = 0.6
#: Seconds until what the last calls left behind is done, and of watching after that.
_QUIET = 1.0
_LOOKS = 3


@define(eq=False)
class Party:
    """
    Nodes that are called at once, each as often, and together as often as one would be.
    """

    _nodes: list[Node] = field(factory=list)
    _callers: list[Caller] = field(factory=list)
    _idle: float = 0.0

    def join(self, node: Node) -> Caller:
        """
        One node more, which is called until it is warm.
        """
        caller = Caller(node.sip)
        self._nodes.append(node)
        self._callers.append(caller)
        caller.run(30, 60)
        return caller

    def settle(self) -> None:
        """
        See what the nodes spend while nobody calls.
        """
        time.sleep(_QUIET)
        found = []
        for _ in range(_LOOKS):
            before, began = self._cpu(), time.monotonic()
            time.sleep(1.0)
            found.append((self._cpu() - before) / (time.monotonic() - began))
        # Most of what they do is done each second; what is rare is not in a round either.
        self._idle = median(found)

    def cost(self) -> float:
        """
        @return: milliseconds of CPU time for a call, by all nodes and until all recordings are
            finished.
        """
        share = len(self._nodes)
        done = self._recorded()
        before, began = self._cpu(), time.monotonic()
        threads = [
            threading.Thread(target=each.run, args=(RATE / share, RATE // share))
            for each in self._callers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        calls = sum(len(each.waits) for each in self._callers)
        until = time.monotonic() + 30
        # To ask costs the node something, too.
        time.sleep(_FINISHING)
        while self._recorded() - done < calls and time.monotonic() < until:
            time.sleep(_FINISHING)
        used = self._cpu() - before - self._idle * (time.monotonic() - began)
        return 1000 * used / max(calls, 1)

    def _cpu(self) -> float:
        return sum(cpuSeconds(each.pid) for each in self._nodes)

    def _recorded(self) -> float:
        return sum(each.metric("siprec_recordings_total") for each in self._nodes)

    def kill(self) -> None:
        """
        End the nodes.
        """
        for node in self._nodes:
            node.kill()


def run(bench: Bench) -> None:
    """
    Measure more and more calls in one node, and then two nodes on one Redis server.
    """
    folder = bench.place("scale")
    # One for each party: what is compared has nothing in common.
    servers = [Redis(bench.place("scale")) for _ in range(3)]
    like, many, nodes = Party(), Party(), Party()
    try:
        like.join(Node(folder, servers[0].url, name="like", ports="10000-19998"))
        held = many.join(Node(folder, servers[1].url, name="held", ports="20000-33998"))
        _calls(bench, like, many, held)
        many.kill()
        _nodes(bench, like, nodes, folder, servers[2].url)
    finally:
        for party in (like, many, nodes):
            party.kill()
        for server in servers:
            server.stop()


def _calls(bench: Bench, like: Party, many: Party, caller: Caller) -> None:
    points: list[tuple[float, float]] = []
    curve: list[tuple[float, float]] = []
    for load in (0, 300) if bench.isQuick else HELD:
        caller.run(BUILD, load - len(caller.standing), None)
        costs, likes = _measure(bench, like, many)
        points += [(load / 1000, ours / other) for ours, other in zip(costs, likes, strict=True)]
        curve += [(float(load), each) for each in costs]
        bench.say(f"scale: {median(costs):.1f} ms for a call beside {load} held ones")
    _slope(bench, "scale.calls", "1,000 held calls", fit(points))
    bench.curve(
        "Scale", "Redis store", ("other calls that are held", "ms of CPU for a call"), curve
    )


def _nodes(bench: Bench, like: Party, party: Party, folder: str, url: str) -> None:
    points: list[tuple[float, float]] = []
    for number, ports in enumerate(("20000-29998", "30000-39998"), 1):
        party.join(Node(folder, url, name=f"node{number}", ports=ports))
        costs, likes = _measure(bench, like, party)
        points += [(number, ours / other) for ours, other in zip(costs, likes, strict=True)]
        bench.say(f"scale: {median(costs):.1f} ms for a call with {number} nodes")
    _slope(bench, "scale.nodes", "node more", fit(points), first=1.0)
    bench.add(Figure.ofRounds("scale.two", "ms a call", costs, likes, "a node by itself"))


def _measure(bench: Bench, like: Party, party: Party) -> tuple[list[float], list[float]]:
    """
    @return: ms for a call of the party's rounds, and of those of its like beside them.
    """
    settling = threading.Thread(target=like.settle)
    settling.start()
    party.settle()
    settling.join()
    costs: list[float] = []
    likes: list[float] = []
    for number in range(3 if bench.isQuick else ROUNDS):
        # Whatever the first of two finds better or worse, both are the first as often.
        for turn in (like, party) if number % 2 else (party, like):
            (likes if turn is like else costs).append(turn.cost())
    return costs, likes


def _slope(bench: Bench, name: str, per: str, line: Fit, first: float = 0.0) -> None:
    """
    What a line rises by, in percent of the cost at the first load.
    """
    base = line.intercept + first * line.slope
    slope, error = (100 * each / base for each in (line.slope, line.error))
    bench.add(
        Figure(
            *(name, slope, f"% for each {per}", error, "standard error"),
            slope / error if error else None,
            target=Limit(ERRORS, ofRatio=True),
            compared=False,
        )
    )
    bench.say(f"{name}: {slope:+.1f} % for each {per}, standard error {error:.1f} %")
