"""
What capturing costs: CPU time per packet of some ways to take RTP from many sockets.

 - floor: a bare C{recvmmsg} loop over the RTP sockets that throws everything away;
 - capture: L{siprec.media.capture}, RTCP sockets and journals included;
 - secured: the same with SRTP on every stream, AES_CM_128_HMAC_SHA1_80; C{sealed}: with
   AEAD_AES_128_GCM;
 - twisted: a DatagramProtocol per socket that writes each packet to its file;
 - rtpengine: what Debian has of that name, recording calls of two streams each in user
   space, where it is installed.

Each runs in a process of its own against the same load, which another process sends
with C{sendmmsg}.  The time is that of the whole receiving process, while it runs
steadily.  Of the capture it is that of all threads but the one of the reactor, which
does nothing for it then but is asked a hundred times a second how late it is;
C{wholeProcess} has that in it, too::

    python benchmarks/capture.py --streams 2000 --seconds 5
"""

import argparse
import ctypes
import json
import os
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

import numpy as np

from benchmarks.lateness import Lateness, startIdle
from benchmarks.measuring import WARMUP, clockOf, measure
from benchmarks.rtpengine import LEGS, Rtpengine, isInstalled
from benchmarks.sender import startSender
from siprec.media.keys import SUITES, MasterKey
from siprec.media.origin import Expected

__all__ = ["STAGES", "runStage"]

INTERVAL = 0.2
#: Seconds more that it may take until every stream was heard.
PATIENCE = 10.0


def floor(
    streams: int, rate: float, seconds: float, directory: str, both: bool = False
) -> dict[str, object]:
    from siprec.media.ports import PortPool

    pool = PortPool(20000, min(40_000 + 2 * streams, 65_000), time.monotonic)
    pairs = [pool.allocate("127.0.0.1") for _ in range(streams)]
    slots = 64
    memory = np.zeros((slots, 2048), np.uint8)
    vectors = np.zeros((slots, 2), np.uint64)
    vectors[:, 0] = memory.ctypes.data + 2048 * np.arange(slots)
    vectors[:, 1] = 2048
    messages = np.zeros((slots, 8), np.uint64)
    messages[:, 2] = vectors.ctypes.data + 16 * np.arange(slots)
    messages[:, 3] = 1
    recvmmsg = ctypes.PyDLL(None).recvmmsg
    recvmmsg.argtypes = (
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_uint,
        ctypes.c_int,
        ctypes.c_void_p,
    )
    address, total = messages.ctypes.data, 0
    numbers = [pair.rtp.fileno() for pair in pairs]
    if both:
        numbers += [pair.rtcp.fileno() for pair in pairs]

    def wait(length: float) -> None:
        nonlocal total
        until = time.monotonic() + length
        while (started := time.monotonic()) < until:
            for number in numbers:
                done = recvmmsg(number, address, slots, socket.MSG_DONTWAIT, None)
                if done > 0:
                    total += done
            time.sleep(max(0.0, started + INTERVAL - time.monotonic()))

    sender = startSender([pair.rtpPort for pair in pairs], rate, WARMUP + seconds + 3)
    try:
        name = "floor, RTCP sockets too" if both else "floor"
        return measure(name, seconds, lambda: total, wait)
    finally:
        sender.kill()
        sender.wait()


def capture(
    streams: int,
    rate: float,
    seconds: float,
    directory: str,
    busy: bool = False,
    suite: str = "",
) -> dict[str, object]:
    from twisted.internet import reactor as _reactor
    from twisted.internet.defer import maybeDeferred
    from twisted.internet.threads import deferToThreadPool
    from twisted.python.failure import Failure

    from siprec.media.capture import CaptureThread
    from siprec.media.ports import PortPool
    from siprec.media.srtp import Protection

    reactor: Any = _reactor

    def protection() -> Protection | None:
        key = MasterKey(suite, bytes(SUITES[suite].keyOctets)) if suite else None
        return None if key is None else Protection((key,))

    pool = PortPool(20000, min(40_000 + 2 * streams, 65_000), time.monotonic)
    errors: list[object] = []
    thread = CaptureThread(reactor, INTERVAL, onError=lambda stream, error: errors.append(error))
    thread.startService()
    handles = [
        thread.attach(
            pool.allocate("127.0.0.1"),
            f"{directory}/{index}.rtpdump",
            protection(),
            expected=Expected("latch", "127.0.0.1"),
        )
        for index in range(streams)
    ]
    result: dict[str, object] = {}
    lateness, waits = Lateness(reactor), 0

    def wait(length: float) -> None:
        nonlocal waits
        waits += 1
        until = time.monotonic() + length
        if waits == 1 or not busy:
            time.sleep(length)
        if waits == 1:
            # Their first packets make the files, which takes long on a slow disk.
            while time.monotonic() < until + PATIENCE and not all(each.packets for each in handles):
                time.sleep(0.1)
            until = 0.0
            thread.counters.longestSlice = thread.counters.overruns = 0
            thread.counters.cycles = 0
            lateness.longest = 0.0
        while time.monotonic() < until:
            pass  # the worst reactor there can be: it never lets go by itself

    def work() -> None:
        ports = [each.pair.rtpPort for each in handles]
        sender = startSender(ports, rate, WARMUP + PATIENCE + seconds + 3, suite)
        idle = None if busy else startIdle(WARMUP, seconds)
        try:
            name = "capture, reactor busy" if busy else f"capture {suite}".strip()
            ofReactor = clockOf(threading.main_thread())

            def count() -> int:
                return sum(handle.packets + handle.controlPackets for handle in handles)

            def besideReactor() -> float:
                return time.process_time() - ofReactor()

            whole = {} if busy else {"wholeProcess": time.process_time}
            result.update(measure(name, seconds, count, wait, besideReactor, **whole))
        finally:
            sender.kill()
            sender.wait()
        if idle is not None:
            result["reactorDelayMs"] = round(1000 * lateness.longest, 2)
            result["idleDelayMs"] = round(1000 * float(idle.communicate()[0]), 2)
        result["cycles"] = thread.counters.cycles
        result["overruns"] = thread.counters.overruns
        result["longestSliceMs"] = round(thread.counters.longestSlice * 1000, 2)
        result["kernelDrops"] = sum(handle.kernelDrops for handle in handles)
        result["unauthenticated"] = sum(handle.unauthenticated for handle in handles)
        result["unwritten"] = sum(handle.unwritten for handle in handles)
        result["errors"] = len(errors)
        # If any: it was measured while journals were still being made.
        result["silent"] = sum(not handle.packets for handle in handles)

    def end(outcome: object) -> None:
        began = time.monotonic()
        if isinstance(outcome, Failure):
            outcome.printTraceback(sys.stderr)
        thread.stopService().addCallback(
            lambda _: result.update(stopSeconds=round(time.monotonic() - began, 2))
        ).addBoth(lambda outcome: reactor.stop())

    def begin() -> None:
        # In a thread, as the reactor is what is watched; the busy one is kept from its work.
        done = (
            maybeDeferred(work)
            if busy
            else deferToThreadPool(reactor, reactor.getThreadPool(), work)
        )
        done.addBoth(end)

    reactor.callWhenRunning(begin)
    reactor.run()
    return result


def twisted(streams: int, rate: float, seconds: float, directory: str) -> dict[str, object]:
    from twisted.internet import reactor as _reactor
    from twisted.internet import task
    from twisted.internet.error import CannotListenError
    from twisted.internet.protocol import DatagramProtocol

    reactor: Any = _reactor
    head = struct.Struct(">HHI")
    total = 0
    began = time.time()

    class Recorder(DatagramProtocol):
        def __init__(self, path: str) -> None:
            self.file = open(path, "ab")  # noqa: SIM115 -- as long as the port

        def datagramReceived(self, datagram: bytes, address: object) -> None:
            nonlocal total
            total += 1
            size = len(datagram)
            offset = int((time.time() - began) * 1000)
            self.file.write(head.pack(size + 8, size, offset) + datagram)

    ports: list[int] = []
    number = 20000
    while len(ports) < streams:
        try:
            reactor.listenUDP(number, Recorder(f"{directory}/{number}"), "127.0.0.1")
            reactor.listenUDP(number + 1, Recorder(f"{directory}/{number + 1}"), "127.0.0.1")
            ports.append(number)
        except CannotListenError:
            pass  # somebody else's; there are more
        number += 2
    result: dict[str, object] = {}
    marks: list[tuple[float, int, float]] = []

    def mark() -> None:
        marks.append((time.process_time(), total, time.monotonic()))

    def end() -> None:
        mark()
        (cpu, packets, at), (cpu2, packets2, at2) = marks
        result.update(
            stage="twisted",
            packetsPerSecond=round((packets2 - packets) / (at2 - at)),
            microsecondsPerPacket=round((cpu2 - cpu) / max(packets2 - packets, 1) * 1e6, 3),
        )
        reactor.stop()

    sender = startSender(ports, rate, WARMUP + seconds + 3)
    try:
        task.deferLater(reactor, WARMUP, mark)
        task.deferLater(reactor, WARMUP + seconds, end)
        reactor.run()
    finally:
        sender.kill()
        sender.wait()
    return result


def rtpengine(streams: int, rate: float, seconds: float, directory: str) -> dict[str, object]:
    engine = Rtpengine(directory)
    try:
        ports = [port for _ in range(streams // LEGS) for port in engine.call()]
        sender = startSender(ports, rate, WARMUP + seconds + 3)
        try:
            return measure(
                "rtpengine", seconds, lambda: engine.packets, time.sleep, lambda: engine.cpu
            )
        finally:
            sender.kill()
            sender.wait()
    finally:
        engine.stop()


def busy(streams: int, rate: float, seconds: float, directory: str) -> dict[str, object]:
    return capture(streams, rate, seconds, directory, busy=True)


def secured(streams: int, rate: float, seconds: float, directory: str) -> dict[str, object]:
    return capture(streams, rate, seconds, directory, suite="AES_CM_128_HMAC_SHA1_80")


def sealed(streams: int, rate: float, seconds: float, directory: str) -> dict[str, object]:
    return capture(streams, rate, seconds, directory, suite="AEAD_AES_128_GCM")


def wholeFloor(streams: int, rate: float, seconds: float, directory: str) -> dict[str, object]:
    return floor(streams, rate, seconds, directory, both=True)


STAGES = {
    "floor": floor,
    "wholeFloor": wholeFloor,
    "capture": capture,
    "secured": secured,
    "sealed": sealed,
    "busy": busy,
    "twisted": twisted,
    "rtpengine": rtpengine,
}


def runStage(
    stage: str, streams: int, rate: float, seconds: float, directory: str
) -> dict[str, Any]:
    """
    Run one stage in a process of its own.

    @param directory: where it may write; it stays.
    @return: what it found.
    @raise CalledProcessError: it failed.
    """
    place = f"{directory}/{stage}-{streams}"
    os.makedirs(place, exist_ok=True)
    command = [sys.executable, os.path.abspath(__file__), "--stage", stage]
    command += ["--directory", place, "--streams", str(streams)]
    done = subprocess.run(
        [*command, "--rate", str(rate), "--seconds", str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=90 + 3 * seconds,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    """
    Measure each stage.
    """
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--streams", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=50.0, help="packets a second and stream")
    parser.add_argument("--seconds", type=float, default=5.0, help="of measuring, per stage")
    parser.add_argument("--directory", help="where to write; default: a temporary one")
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    load = (options.streams, options.rate, options.seconds)
    if options.stage is not None:
        print(json.dumps(STAGES[options.stage](*load, options.directory)))
        return
    # Not removed before the end: ext4 is slow to make files where some were deleted.
    with tempfile.TemporaryDirectory(prefix="capture-", dir=options.directory) as directory:
        base = None
        for stage in STAGES:
            if stage == "rtpengine" and not isInstalled():
                continue
            result = runStage(stage, *load, directory)
            cost = result.get("microsecondsPerPacket")
            base = base or cost
            if cost is not None:
                result["ratioToFloor"] = round(cost / base, 2)
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
