"""
Many calls, one after another: what a node takes at the end must be what it took at the start.

A node with a Redis server is called so many times a second, each call lasts some seconds, and
two streams of G.711 come for each.  Then memory, descriptors, threads and keys in the store
are held against those after the first tenth of the calls; nothing unforeseen may be in the
node's log, and each call must have a complete recording.  Recordings that were looked at are
removed.  The exit status is 1 if something is not so::

    python benchmarks/soak.py                           # 24,000 calls in about 15 minutes
    python benchmarks/soak.py --calls 300 --rate 10 --hold 3 --quiet 5
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence

from attrs import asdict, astuple, define, field

from benchmarks.caller import Caller
from benchmarks.nodes import Node, Redis, cpuSeconds
from benchmarks.sender import change, startSender
from benchmarks.soaking import Finished, State, errorsIn, problems

__all__ = ["main"]

_FIRST = 0.1
_LOOK = 5.0  # seconds from one look at the recordings to the next


@define(eq=False)
class Soak:
    """
    One run.
    """

    node: Node
    redis: Redis
    caller: Caller
    finished: Finished
    counts: Counter[str] = field(factory=Counter)
    _made: int = 0

    def calls(self, rate: float, count: int, hold: float) -> None:
        """
        Make calls, and see to the recordings meanwhile.
        """
        thread = threading.Thread(target=self.caller.run, args=(rate, count, hold))
        thread.start()
        while thread.is_alive():
            thread.join(_LOOK)
            self.finished.collect()
        self._made += count
        self.counts.update(self.caller.counts)

    def settled(self, patience: float, quiet: float) -> State:
        """
        Wait until everything is finished, and what is kept for the last repetitions of
        messages is gone.

        @param patience: seconds for the recordings.
        @param quiet: seconds for what is kept.
        @return: what is taken then, the least of some looks.
        """
        until = time.monotonic() + patience
        while self.finished.count < self._made and time.monotonic() < until:
            time.sleep(0.5)
            self.finished.collect()
        time.sleep(quiet)
        looks = []
        for _ in range(5):
            looks.append(astuple(State.of(self.node, self.redis)))
            time.sleep(0.5)
        return State(*map(min, zip(*looks, strict=True)))


def soak(options: argparse.Namespace, folder: str) -> int:
    """
    @return: the exit status.
    """
    redis = Redis(folder)
    node = Node(folder, redis.url)
    sender = startSender((), 50.0, options.seconds + 600) if options.media else None

    def onPorts(ports: list[int], stands: bool) -> None:
        if sender is not None:
            change(sender, ports if stands else (), () if stands else ports)

    run = Soak(node, redis, Caller(node.sip, onPorts), Finished(node.recordings, options.media))
    try:
        first = max(int(_FIRST * options.calls), 1)
        began = time.monotonic()
        run.calls(options.rate, first, options.hold)
        before = run.settled(options.patience, options.quiet)
        cpu = cpuSeconds(node.pid)
        # Bounded: what a slow machine does not get done in that time is not asked of it.
        rest = min(options.calls - first, int(options.rate * options.seconds))
        run.calls(options.rate, rest, options.hold)
        after = run.settled(options.patience, options.quiet)
        found = problems(before, after, first + rest, run.finished, errorsIn(node.log))
        unhandled = node.metric("siprec_unhandled_errors_total")
        if unhandled:
            found.append(f"{unhandled:.0f} errors that nothing had foreseen")
        for name in ("lost", "refused", "unexpected"):
            if run.counts[name]:
                found.append(f"{run.counts[name]} {name}")
        row = {
            "calls": first + rest,
            "seconds": round(time.monotonic() - began),
            "before": asdict(before),
            "after": asdict(after),
            "msOfCPU": round(1000 * (cpuSeconds(node.pid) - cpu) / max(rest, 1), 1),
            "counts": run.counts,
            "states": {" ".join(key): each for key, each in run.finished.states.items()},
            "problems": found,
        }
        print(json.dumps(row), flush=True)
        return 1 if found else 0
    finally:
        if sender is not None:
            sender.kill()
            sender.wait()
        node.stop()
        redis.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """
    @return: the exit status.
    """
    parser = argparse.ArgumentParser(description=str(__doc__).strip().partition("\n")[0])
    parser.add_argument("--calls", type=int, default=24_000)
    parser.add_argument("--rate", type=float, default=30.0, help="calls a second")
    parser.add_argument("--hold", type=float, default=10.0, help="seconds that a call lasts")
    parser.add_argument("--seconds", type=float, default=900.0, help="at most, of calling")
    parser.add_argument("--patience", type=float, default=300.0, help="until all is finished")
    parser.add_argument(
        "--quiet", type=float, default=40.0, help="then, for what SIP keeps after a call"
    )
    parser.add_argument("--no-media", dest="media", action="store_false", help="silent streams")
    options = parser.parse_args(arguments)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    folder = tempfile.mkdtemp(prefix="soak-")
    try:
        return soak(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
