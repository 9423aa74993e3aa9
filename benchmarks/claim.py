"""
What it costs to take over the sessions of a dead node, in a real Redis or Valkey server.

Two survivors race for all sessions of a dead node by C{claimFrom}, in batches; beside it, in
the same run, two survivors take the same number by C{claim}, each its half (so that, unlike in
a real takeover, no call is lost to the other one), as many at once as a batch has.  For both:
wall time, scripts that the server was asked for, CPU time of the server and of this process,
and whether every session has exactly one new owner.  Rounds of both take turns; the figures
are medians, the ratios are single claims to batches::

    python benchmarks/claim.py --sessions 2000 --batch 25 --rounds 5
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from statistics import median
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from benchmarks.server import Server, addOptions, answering, runWithServer
from benchmarks.store import makeSnapshot
from siprec.ids import NodeID
from siprec.session.model import NodeLease, SessionData
from siprec.store.codec import encode
from siprec.store.redis import RedisSessionStore, openRedisStore

DEAD = NodeID("dead")
SURVIVORS = (NodeID("one"), NodeID("two"))
INSTANCE = "its-last-process"
MEASURED = ("wallMilliseconds", "scripts", "serverCPUMilliseconds", "clientCPUMilliseconds")

Figures = dict[str, Any]
Takeover = Callable[[RedisSessionStore, int], Coroutine[Any, Any, list[str]]]


def makeKey(number: int) -> str:
    """
    @return: the key of a session of L{makeData}.
    """
    return f"01940000-0000-7000-8000-{number:012d}"


def makeData(number: int) -> SessionData:
    """
    @return: a session of the dead node.
    """
    key = makeKey(number)
    snapshot = makeSnapshot(key)
    recording = snapshot.recording
    return SessionData(
        sessionID=key,
        callID=recording.callID,
        status="recording",
        startTime=recording.startTime,
        lastUpdate=recording.startTime,
        recordingPath=recording.directory,
        nodeID=DEAD,
        snapshot=snapshot,
        sessions=(key,),
        vendor=recording.vendor,
        # Up to the 3 kB that a call with more metadata has.
        metadata={"note": "x" * 200},
        correlations=recording.correlations,
    )


async def create(store: RedisSessionStore, sessions: int) -> None:
    """
    The dead node's sessions, and its lease, which has not expired yet.
    """
    for first in range(0, sessions, 100):
        numbers = range(first, min(first + 100, sessions))
        await gatherResults([store.store(makeData(number), 3600.0) for number in numbers])
    await store.release(DEAD, INSTANCE)
    await store.heartbeat(NodeLease(DEAD, INSTANCE, "host", 1), 600.0)


async def check(stores: list[RedisSessionStore], taken: list[list[str]], sessions: int) -> int:
    """
    @return: how many sessions were taken twice or not at all, by what the survivors were told
        or by what the server has.
    """
    told = Counter(key for keys in taken for key in keys)
    wrong = sum(count - 1 for count in told.values()) + abs(sessions - len(told))
    for store, keys in zip(stores, taken, strict=True):
        wrong += len({*await store.list(store.nodeID)} ^ {*keys})
        found = await gatherResults([store.get(key) for key in keys[::50]])
        wrong += sum(1 for each in found if each.epoch != 2)
    return wrong + len(await stores[0].list(DEAD))


async def measure(
    stores: list[RedisSessionStore], server: Server, sessions: int, takeover: Takeover
) -> Figures:
    """
    @return: what it costs that the survivors take over everything.
    """
    await create(stores[0], sessions)
    (calls, _), serverCPU = await server.scripts(), await server.cpu()
    cpu, began = time.process_time(), time.perf_counter()
    taken = await gatherResults(
        [Deferred.fromCoroutine(takeover(store, position)) for position, store in enumerate(stores)]
    )
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    (callsAfter, _), serverCPUAfter = await server.scripts(), await server.cpu()
    wrong = await check(stores, taken, sessions)
    for keys in taken:
        for first in range(0, len(keys), 100):
            await gatherResults([stores[0].delete(key) for key in keys[first : first + 100]])
    return {
        "wallMilliseconds": wall * 1e3,
        "scripts": callsAfter - calls,
        "serverCPUMilliseconds": (serverCPUAfter - serverCPU) * 1e3,
        "clientCPUMilliseconds": cpu * 1e3,
        "shares": [len(keys) for keys in taken],
        "wrong": wrong,
    }


def byBatches(batch: int) -> Takeover:
    """
    @return: how a survivor takes what it can get.
    """

    async def take(store: RedisSessionStore, position: int) -> list[str]:
        mine: list[str] = []
        while True:
            claimed = await store.claimFrom(DEAD, store.nodeID, batch, INSTANCE)
            mine += [each.sessionID for each in claimed.records]
            if not claimed.left:
                return mine

    return take


def oneByOne(batch: int, sessions: int) -> Takeover:
    """
    @return: how a survivor takes its half, whose keys and epochs it knows already.
    """

    async def take(store: RedisSessionStore, position: int) -> list[str]:
        mine: list[str] = []
        keys = [makeKey(number) for number in range(position, sessions, len(SURVIVORS))]
        for first in range(0, len(keys), batch):
            calls = [store.claim(key, store.nodeID, 1) for key in keys[first : first + batch]]
            mine += [each.sessionID for each in await gatherResults(calls)]
        return mine

    return take


def medians(rounds: list[Figures]) -> Figures:
    """
    @return: the figures of a typical round; everything that was wrong in any of them.
    """
    return {
        **{name: round(median(each[name] for each in rounds), 1) for name in MEASURED},
        "shares": rounds[-1]["shares"],
        "takenTwiceOrNotAtAll": sum(each["wrong"] for each in rounds),
    }


async def run(options: argparse.Namespace, url: str) -> None:
    prefix = f"bench{os.getpid()}:"
    stores = [openRedisStore(reactor, url, node, timeout=30.0, prefix=prefix) for node in SURVIVORS]
    for store in stores:
        await answering(store, time.monotonic() + 20)
    server, sessions = Server(stores[0]), options.sessions
    batches, singles = byBatches(options.batch), oneByOne(options.batch, sessions)
    results: dict[str, list[Figures]] = {"claimFrom": [], "claim": []}
    await measure(stores, server, min(sessions, 100), byBatches(options.batch))  # warm
    for _ in range(options.rounds):
        results["claimFrom"].append(await measure(stores, server, sessions, batches))
        results["claim"].append(await measure(stores, server, sessions, singles))
    blob = len(encode(makeData(0)))
    print(json.dumps({"sessions": sessions, "batch": options.batch, "blobBytes": blob}))
    few, many = (medians(results[name]) for name in ("claimFrom", "claim"))
    print(json.dumps({"what": "claimFrom", **few}))
    print(json.dumps({"what": "claim", **many}))
    ratios = {name: round(many[name] / few[name], 2) for name in MEASURED}
    print(json.dumps({"what": "ratio", **ratios}))
    for store in stores:
        await store.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    addOptions(parser)
    parser.add_argument("--sessions", type=int, default=2000, help="of the dead node")
    parser.add_argument("--batch", type=int, default=25, help="sessions in one claim")
    parser.add_argument("--rounds", type=int, default=5, help="of each kind")
    options = parser.parse_args()
    return runWithServer(run, options)


if __name__ == "__main__":
    sys.exit(main())
