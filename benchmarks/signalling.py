"""
What the signalling of a call costs the node: INVITE with description and metadata, 200,
ACK, BYE, 200, for two streams that stay silent.

A node runs in a process of its own, as an operator starts it.  This process calls it over
UDP, so many calls a second, repeats what is not answered (RFC 3261, timers A and E), and
prints a row for each rate and store:

 - CPU time of the node's process for one call, and, apart, that of the processes that
   render, until the last recording is finished;
 - time until the 200 to the INVITE, at the median and for the slowest of a hundred;
 - messages that one of the two had to repeat, of a hundred that were sent once;
 - calls that did not come to their end.

With C{--profile} a node runs under cProfile, and what takes the longest is printed.  With
C{--inside} the node is in this process and is given messages without sockets for SIP, by
one call after the other: the cost alone, where the machine is busy with other things::

    python benchmarks/signalling.py --rates 50,150,300 --seconds 10
    python benchmarks/signalling.py --store redis --profile --rates 100
    python benchmarks/signalling.py --inside --store memory --calls 1000 --profile
"""

import argparse
import cProfile
import json
import pstats
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from benchmarks.caller import HOST, TO, Caller, Messages
from benchmarks.figures import percentile
from benchmarks.nodes import Node, Redis, childrenOf, cpuSeconds, freePort
from siprec.assembly import makeNode
from siprec.config import loadSettings
from siprec.garbage import Collecting


def measure(
    node: Node, caller: Caller, store: str, rate: float, count: int, patience: float = 600.0
) -> dict[str, Any]:
    """
    @param patience: seconds for which the recordings may take to be finished.
    @return: the row of one rate.
    """
    children = childrenOf(node.pid)
    cpu, rendering = cpuSeconds(node.pid), sum(map(cpuSeconds, children))
    done = node.metric("siprec_recordings_total")
    mine, began = time.process_time(), time.monotonic()
    caller.run(rate, count)
    took = time.monotonic() - began
    mine = time.process_time() - mine
    signalled = cpuSeconds(node.pid) - cpu
    until = time.monotonic() + patience
    answered = len(caller.waits)
    while node.metric("siprec_recordings_total") - done < answered and time.monotonic() < until:
        time.sleep(0.5)
    cpu = cpuSeconds(node.pid) - cpu
    rendering = sum(map(cpuSeconds, childrenOf(node.pid))) - rendering
    counts, calls = caller.counts, max(answered, 1)
    return {
        "store": store,
        "rate": rate,
        "calls": count,
        "took": round(took, 1),
        "nodeMs": round(1000 * cpu / calls, 2),
        "untilLastByeMs": round(1000 * signalled / calls, 2),
        "renderMs": round(1000 * rendering / calls, 2),
        "callerMs": round(1000 * mine / calls, 2),
        "p50Ms": round(1000 * percentile(caller.waits, 0.5), 1),
        "p99Ms": round(1000 * percentile(caller.waits, 0.99), 1),
        "repeatedPercent": round(100 * counts["repeated"] / max(counts["sent"], 1), 2),
        "notEnded": count - counts["ended"],
    }


def outside(options: argparse.Namespace, store: str, folder: str) -> Iterator[dict[str, object]]:
    """
    @return: the rows of one store.
    """
    redis = Redis(folder) if store == "redis" else None
    profile = f"{folder}/profile" if options.profile else ""
    node = Node(folder, redis.url if redis else "memory:", profile)
    try:
        caller = Caller(node.sip)
        caller.run(20, 40)  # warm: imports, caches, the process that renders
        time.sleep(1)
        for rate in options.rates:
            yield measure(node, caller, store, rate, int(rate * options.seconds))
    finally:
        node.stop()
        if redis is not None:
            redis.stop()
    if profile:
        show(pstats.Stats(profile), options.lines)


def show(stats: "pstats.Stats", lines: int) -> None:
    """
    Print what takes the longest, by itself and with what it calls.
    """
    for order in ("tottime", "cumulative"):
        stats.sort_stats(order).print_stats(lines)


class Wire:
    """
    In place of the transport of the node's UDP socket: hears what it answers.
    """

    def __init__(self) -> None:
        self._awaited: Deferred[str] | None = None

    def answer(self) -> "Deferred[str]":
        """
        @return: fires with the To of the next 200.
        """
        self._awaited = Deferred()
        return self._awaited

    def write(self, data: bytes, address: tuple[str, int]) -> None:
        """
        Something is sent.
        """
        awaited = self._awaited
        if awaited is not None and data.startswith(b"SIP/2.0 200"):
            to, self._awaited = TO.search(data), None
            assert to is not None
            # Later, as the network would: the node has not ended its turn yet.
            reactor.callLater(0, awaited.callback, to[1].decode())


async def callInside(options: argparse.Namespace, node: Any) -> dict[str, object]:
    """
    @return: what calls cost that are given to a node in this process.
    """
    node.startService()
    await node.transport.opened()
    while node.recorder.notReady():
        await _pause(0.05)
    [listener] = node.transport._datagrams
    wire, messages = Wire(), Messages(5070, listener.address[1])
    socketOf, listener.transport = listener.transport, wire
    profile = cProfile.Profile(time.thread_time)

    async def calls(first: int, count: int) -> None:
        for number in range(first, first + count):
            to = ""
            for method in ("INVITE", "BYE"):
                answered = wire.answer()
                listener.datagramReceived(messages.make(method, number, to), (HOST, 5070))
                to = await answered
                if method == "INVITE":
                    listener.datagramReceived(messages.make("ACK", number, to), (HOST, 5070))
        await node.sessions.drained()

    try:
        Collecting(reactor, lambda: node.sessions.equipment.postponed.turn()).start()
        await calls(0, 20)  # warm: imports, caches, the process that renders
        reactorBefore, processBefore = time.thread_time(), time.process_time()
        if options.profile:
            profile.enable()
        await calls(20, options.calls)
        profile.disable()
        mine, whole = time.thread_time() - reactorBefore, time.process_time() - processBefore
    finally:
        listener.transport = socketOf
        await node.stopService()
    if options.profile:
        show(pstats.Stats(profile), options.lines)
    return {
        "calls": options.calls,
        "reactorMs": round(1000 * mine / options.calls, 2),
        "processMs": round(1000 * whole / options.calls, 2),
    }


def _pause(seconds: float) -> "Deferred[None]":
    done: Deferred[None] = Deferred()
    reactor.callLater(seconds, done.callback, None)
    return done


def inside(options: argparse.Namespace, store: str, folder: str) -> Iterator[dict[str, object]]:
    """
    @return: the row of one store.
    """
    redis = Redis(folder) if store == "redis" else None
    overrides = {
        "node.id": f"benchmark-{store}",
        "sip.listen": [f"udp:{freePort()}:interface={HOST}"],
        "recordings.directory": f"{folder}/recordings",
        "http.listen": "",
        "store.url": redis.url if redis else "memory:",
    }
    node = makeNode(reactor, loadSettings(None, overrides))
    done: list[dict[str, object]] = []
    work = Deferred.fromCoroutine(callInside(options, node)).addCallback(done.append)
    work.addErrback(lambda failure: failure.printTraceback(sys.stderr))
    work.addBoth(lambda _: reactor.callLater(0, reactor.stop))
    reactor.run()
    if redis is not None:
        redis.stop()
    for row in done:
        yield {"store": store, **row}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--rates", default="50,150,300", help="calls a second, one after another")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each rate")
    parser.add_argument("--store", default="memory,redis", help="memory, redis or both")
    parser.add_argument("--inside", action="store_true", help="with a node in this process")
    parser.add_argument("--calls", type=int, default=500, help="of --inside")
    parser.add_argument("--profile", action="store_true", help="print what takes the longest")
    parser.add_argument("--lines", type=int, default=40, help="of each list of the profile")
    options = parser.parse_args()
    options.rates = [float(each) for each in options.rates.split(",")]
    stores = options.store.split(",")
    if options.inside and len(stores) > 1:
        # There is one reactor in a process, and it runs once.
        return max(subprocess.call([sys.executable, *sys.argv, "--store", each]) for each in stores)
    for store in stores:
        folder = tempfile.mkdtemp(prefix="signalling-")
        try:
            for row in (inside if options.inside else outside)(options, store, folder):
                print(json.dumps(row), flush=True)
        finally:
            shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
