"""
Calls a second, and what one costs, with the memory store and with Redis.
"""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks import sipp
from benchmarks.bench import Bench
from benchmarks.caller import Caller
from benchmarks.echo import startEcho
from benchmarks.figures import Figure, Limit, percentile
from benchmarks.nodes import Node, Redis, cpuSeconds, freePort
from benchmarks.signalling import measure

BASE = 25
RATES = (50, 100, 200, 250, 400, 500, 800)
ECHO_RATE = 400
MOST_REPEATED = 1.0  # percent
HALF = 250  # calls a second, where the answer's time has its target

_AXES = ("calls a second", "ms of CPU for a call")


class Echoes:
    """
    Beside the node: a process that only answers.

    @ivar costs: ms of CPU time for a call, of each round.
    @ivar waits: seconds until each 200 to an INVITE.
    """

    def __init__(self) -> None:
        port = freePort()
        self._process = startEcho(port)
        self._caller = Caller(port)
        self._caller.run(100, 20)
        self.costs: list[float] = []
        self.waits: list[float] = []

    def measure(self, seconds: float) -> None:
        """
        Measure one round.
        """
        before, count = cpuSeconds(self._process.pid), int(ECHO_RATE * seconds)
        self._caller.run(ECHO_RATE, count)
        self.costs.append(1000 * (cpuSeconds(self._process.pid) - before) / count)
        self.waits += self._caller.waits

    def stop(self) -> None:
        """
        End the process.
        """
        self._process.kill()
        self._process.wait()


def run(bench: Bench) -> None:
    """
    Measure both stores.
    """
    for store in ("memory", "redis"):
        folder = bench.place("signalling")
        redis = Redis(folder) if store == "redis" else None
        echoes = Echoes()
        try:
            node = Node(folder, redis.url if redis else "memory:")
            try:
                _store(bench, store, node, redis, echoes)
            finally:
                node.kill()
        finally:
            echoes.stop()
            if redis is not None:
                redis.stop()


def _store(bench: Bench, store: str, node: Node, redis: Redis | None, echoes: Echoes) -> None:
    seconds = 2.0 if bench.isQuick else 4.0
    caller, name = Caller(node.sip), f"signalling.{store}"
    caller.run(20, 40)  # warm: imports, caches, the process that renders
    rows: list[dict[str, Any]] = []
    scripts, serverCPU, calls = 0, 0.0, 0
    for _ in range(2 if bench.isQuick else 3):
        if redis is not None:
            scripts, serverCPU = scripts - redis.scripts, serverCPU - redis.cpu
        rows.append(measure(node, caller, store, BASE, int(BASE * seconds)))
        calls += int(BASE * seconds)
        if redis is not None:
            scripts, serverCPU = scripts + redis.scripts, serverCPU + redis.cpu
        echoes.measure(seconds / 2)
        bench.say(f"{name}: {BASE} calls a second, {rows[-1]['nodeMs']} ms of CPU each")
    _sipp(bench, name, node, rows, int(BASE * seconds))
    costs = [row["nodeMs"] for row in rows]
    bench.add(Figure.ofRounds(f"{name}.cpu", "ms a call", costs, echoes.costs, "echo"))
    capacity = [1000 / each for each in costs]
    more: dict[str, Any] = {"moreIsBetter": True, "compared": False}
    bench.add(Figure.ofRounds(f"{name}.capacity", "calls/s and core", capacity, **more))
    rendering = [row["renderMs"] for row in rows]
    bench.add(Figure.ofRounds(f"{name}.render", "ms a call", rendering, compared=False))
    if redis is not None:
        bench.add(Figure("signalling.redis.scripts", scripts / calls, "a call"))
        each = 1000 * serverCPU / calls
        bench.add(Figure("signalling.redis.server", each, "ms of CPU a call", compared=False))
    _ladder(bench, name, node, caller, rows[-1], echoes)


def _sipp(bench: Bench, name: str, node: Node, rows: list[dict[str, Any]], count: int) -> None:
    """
    The answer's time as another client finds it, which shares no line with ours.
    """
    if not sipp.isInstalled():
        bench.note(f"{name}.sipp was not measured: it is not installed")
        return
    waits = sipp.measure(node.sip, BASE, count, bench.place("sipp"))
    for share, column in ((0.5, "p50Ms"), (0.99, "p99Ms")):
        figure, ours = f"{name}.sipp.p{100 * share:.0f}", median(row[column] for row in rows)
        more = dict[str, Any](compared=False)
        bench.add(
            Figure.ofRounds(figure, "ms", [percentile(waits, share)], [ours], "our client", **more)
        )


def _ladder(
    bench: Bench, name: str, node: Node, caller: Caller, base: dict[str, Any], echoes: Echoes
) -> None:
    """
    Call faster and faster, until the node does not keep up.
    """
    seconds, rows = (2.0 if bench.isQuick else 5.0), [base]
    echoed = [1000 * percentile(echoes.waits, share) for share in (0.5, 0.99)]
    for rate in RATES[: 1 if bench.isQuick else None]:
        if not _keptUp(rows[-1]):
            break
        rows.append(measure(node, caller, name, rate, int(rate * seconds), patience=60.0))
        bench.say(f"{name}: {rows[-1]}")
    for row in rows:
        at, more = f"{name}.{row['rate']:g}", dict[str, Any](compared=False)
        p50, p99 = row["p50Ms"], row["p99Ms"]
        bench.add(Figure.ofRounds(f"{at}.p50", "ms", [p50], echoed[:1], "echo", **more))
        bench.add(Figure.ofRounds(f"{at}.p99", "ms", [p99], echoed[1:], "echo", **more))
        bench.add(Figure(f"{at}.repeated", row["repeatedPercent"], "%", **more))
    good = [row for row in rows if _keptUp(row)]
    highest, isRedis = max((row["rate"] for row in good), default=0), name.endswith("redis")
    target = Limit(500.0) if isRedis and not bench.isQuick else None
    bench.add(
        Figure(
            *(f"{name}.rate", highest, "calls/s"),
            moreIsBetter=True,
            target=target,
            compared=False,
        )
    )
    if isRedis and not bench.isQuick:
        # A rate that is not reached has no answer's time: then the target is not met.
        half = [row["p99Ms"] for row in rows if row["rate"] == HALF]
        if half:
            figure = Figure(f"{name}.p99", half[0], "ms", target=Limit(20.0), compared=False)
        else:
            last = rows[-1]
            bench.note(f"{name}.p99 is that of {last['rate']:g} calls a second, not {HALF}")
            figure = Figure(
                *(f"{name}.p99", last["p99Ms"], "ms"), target=Limit(20.0), compared=False
            )
        bench.add(figure)
    title = "Signalling"
    bench.curve(title, name, _AXES, [(row["rate"], row["nodeMs"]) for row in rows])
    axes = ("calls a second", "ms until the 200, of 99 in 100")
    bench.curve("Time until the answer", name, axes, [(row["rate"], row["p99Ms"]) for row in good])


def _keptUp(row: dict[str, Any]) -> bool:
    return bool(row["repeatedPercent"] <= MOST_REPEATED and not row["notEnded"])
