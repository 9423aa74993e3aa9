"""
What capturing costs: CPU time per packet of three ways to take RTP from many sockets.

 - floor: a bare C{recvmmsg} loop over the RTP sockets that throws everything away;
 - capture: L{siprec.media.capture}, RTCP sockets and journals included;
 - secured: the same with SRTP on every stream, AES_CM_128_HMAC_SHA1_80; C{sealed}: with
   AEAD_AES_128_GCM;
 - twisted: a DatagramProtocol per socket that writes each packet to its file.

Each runs in a process of its own against the same load, which another process sends
with C{sendmmsg}.  The time is that of the whole receiving process, while it runs
steadily::

    python benchmarks/capture.py --streams 2000 --seconds 5
"""

import argparse
import ctypes
import json
import os
import random
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable

import numpy as np

from siprec.media.keys import SUITES, MasterKey

INTERVAL = 0.2
PAYLOAD = 172
WARMUP = 3.0
RTCP_SECONDS = 5.0


def protected(count: int, suite: str) -> "np.ndarray":
    """
    @return: the SRTP packets of one source, a row each.
    """
    from siprec.media.libsrtp import CryptoSession

    session = CryptoSession(suite, bytes(SUITES[suite].keyOctets), inbound=False)
    head = struct.Struct(">BBHII")
    packets = [
        session.protect(head.pack(0x80, 0, turn & 0xFFFF, turn * 160, 7) + bytes(PAYLOAD - 12))
        for turn in range(count)
    ]
    return np.frombuffer(b"".join(packets), np.uint8).reshape(count, -1).copy()


def send(ports: list[int], rate: float, seconds: float, suite: str = "") -> None:
    """
    Send RTP to each port of 127.0.0.1, C{rate} packets a second, evenly spread, and
    an RTCP packet to the one after it every five seconds.

    @param suite: protect all of it, made up beforehand, by this crypto suite.
    """
    streams = len(ports)
    prepared = protected(int(rate * seconds) + 2, suite) if suite else None
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    # A large one, or sendmmsg blocks now and then.
    out.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    packets = np.zeros((streams, PAYLOAD), np.uint8)
    packets[:, 0] = 0x80
    packets[:, 8:12] = np.arange(streams, dtype=">u4")[:, None].view(np.uint8)
    packets[:, 12:] = np.random.default_rng(1).integers(0, 256, PAYLOAD - 12)
    names = np.zeros((streams, 16), np.uint8)
    for row, port in enumerate(ports):
        name = struct.pack("=H", socket.AF_INET) + struct.pack(">H", port) + bytes([127, 0, 0, 1])
        names[row, :8] = np.frombuffer(name, np.uint8)
    vectors = np.zeros((streams, 2), np.uint64)
    vectors[:, 0] = packets.ctypes.data + PAYLOAD * np.arange(streams)
    vectors[:, 1] = PAYLOAD if prepared is None else prepared.shape[1]
    messages = np.zeros((streams, 8), np.uint64)
    messages[:, 0] = names.ctypes.data + 16 * np.arange(streams)
    messages[:, 1] = 16
    messages[:, 2] = vectors.ctypes.data + 16 * np.arange(streams)
    messages[:, 3] = 1
    sendmmsg = ctypes.CDLL(None, use_errno=True).sendmmsg
    sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
    period, parts = 1 / rate, 20
    edges = [streams * part // parts for part in range(parts + 1)]
    begin, turn = time.monotonic(), 0
    control = bytes.fromhex("80c80006") + bytes(24)
    due, step = begin, RTCP_SECONDS / streams
    while time.monotonic() < begin + seconds:
        packets[:, 2:4] = np.frombuffer(struct.pack(">H", turn & 0xFFFF), np.uint8)
        packets[:, 4:8] = np.frombuffer(struct.pack(">I", turn * 160), np.uint8)
        if prepared is not None:
            # All streams have the same key and source here, so one packet is for all.
            vectors[:, 0] = prepared.ctypes.data + (turn % len(prepared)) * prepared.shape[1]
        for part in range(parts):
            at, to = edges[part], edges[part + 1]
            while at < to:
                done = sendmmsg(out.fileno(), messages.ctypes.data + 64 * at, to - at, 0)
                if done < 0:
                    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
                at += done
            while due < time.monotonic() and prepared is None:
                out.sendto(control, ("127.0.0.1", random.choice(ports) + 1))
                due += step
            pause = begin + (turn + (part + 1) / parts) * period - time.monotonic()
            if pause > 0:
                time.sleep(pause)
        turn += 1


def measure(
    name: str,
    seconds: float,
    count: Callable[[], int],
    wait: Callable[[float], None],
    clock: Callable[[], float] = time.process_time,
) -> dict[str, object]:
    """
    @param count: packets so far.
    @param wait: lets that much time pass, receiving.
    @param clock: processor time used so far.
    """
    wait(WARMUP)
    cpu, packets, began = clock(), count(), time.monotonic()
    wait(seconds)
    cpu, packets, took = (
        clock() - cpu,
        count() - packets,
        time.monotonic() - began,
    )
    return {
        "stage": name,
        "packetsPerSecond": round(packets / took),
        "microsecondsPerPacket": round(cpu / max(packets, 1) * 1e6, 3),
    }


def command(stage: str, options: list[str]) -> list[str]:
    """
    @return: what runs one stage in a process of its own.
    """
    return [sys.executable, __file__, "--stage", stage, *options]


def startSender(
    ports: list[int], rate: float, seconds: float, suite: str = ""
) -> "subprocess.Popen[str]":
    options = ["--rate", str(rate), "--seconds", str(seconds + WARMUP + 3), "--suite", suite]
    sender = subprocess.Popen(
        command("send", options),
        stdin=subprocess.PIPE,
        text=True,
    )
    assert sender.stdin is not None
    json.dump(ports, sender.stdin)
    sender.stdin.close()
    return sender


def floor(
    streams: int, rate: float, seconds: float, directory: str, both: bool = False
) -> dict[str, object]:
    from siprec.media.ports import PortPool

    pool = PortPool(20000, 20000 + 2 * streams + 1000, time.monotonic)
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

    sender = startSender([pair.rtpPort for pair in pairs], rate, seconds)
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
    from twisted.internet import reactor

    from siprec.media.capture import CaptureThread
    from siprec.media.ports import PortPool
    from siprec.media.srtp import Protection

    def protection() -> Protection | None:
        key = MasterKey(suite, bytes(SUITES[suite].keyOctets)) if suite else None
        return None if key is None else Protection((key,))

    pool = PortPool(20000, 20000 + 2 * streams + 1000, time.monotonic)
    errors: list[object] = []
    thread = CaptureThread(reactor, INTERVAL, onError=lambda stream, error: errors.append(error))
    thread.startService()
    handles = [
        thread.attach(pool.allocate("127.0.0.1"), f"{directory}/{index}.rtpdump", protection())
        for index in range(streams)
    ]
    result: dict[str, object] = {}

    waits = 0

    def wait(length: float) -> None:
        nonlocal waits
        waits += 1
        until = time.monotonic() + length
        if waits == 1 or not busy:
            time.sleep(length)
        if waits == 1:
            thread.counters.longestSlice = thread.counters.overruns = 0
            thread.counters.cycles = 0
        while time.monotonic() < until:
            pass  # the worst reactor there can be: it never lets go by itself

    def work() -> None:
        sender = startSender([each.pair.rtpPort for each in handles], rate, seconds, suite)
        try:
            name, clock = f"capture {suite}".strip(), time.process_time
            if busy:
                # The time of the process would be that of the busy reactor.
                (worker,) = (one for one in threading.enumerate() if one.name == "capture")
                number = time.pthread_getcpuclockid(worker.ident or 0)
                name, clock = "capture, reactor busy", lambda: time.clock_gettime(number)

            def count() -> int:
                return sum(handle.packets + handle.controlPackets for handle in handles)

            result.update(measure(name, seconds, count, wait, clock))
        finally:
            sender.kill()
            sender.wait()
        result["cycles"] = thread.counters.cycles
        result["overruns"] = thread.counters.overruns
        result["longestSliceMs"] = round(thread.counters.longestSlice * 1000, 2)
        result["kernelDrops"] = sum(handle.kernelDrops for handle in handles)
        result["unauthenticated"] = sum(handle.unauthenticated for handle in handles)
        result["unwritten"] = sum(handle.unwritten for handle in handles)
        result["errors"] = len(errors)
        began = time.monotonic()
        thread.stopService().addCallback(
            lambda _: result.update(stopSeconds=round(time.monotonic() - began, 2))
        ).addBoth(lambda outcome: reactor.stop())

    reactor.callWhenRunning(work)
    reactor.run()
    return result


def twisted(streams: int, rate: float, seconds: float, directory: str) -> dict[str, object]:
    from twisted.internet import reactor, task
    from twisted.internet.protocol import DatagramProtocol

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

    ports = []
    number = 20000
    while len(ports) < streams:
        try:
            reactor.listenUDP(number, Recorder(f"{directory}/{number}"), "127.0.0.1")
            reactor.listenUDP(number + 1, Recorder(f"{directory}/{number + 1}"), "127.0.0.1")
            ports.append(number)
        except Exception as error:
            print(f"port {number}: {error}", file=sys.stderr)
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

    sender = startSender(ports, rate, seconds)
    try:
        task.deferLater(reactor, WARMUP, mark)
        task.deferLater(reactor, WARMUP + seconds, end)
        reactor.run()
    finally:
        sender.kill()
        sender.wait()
    return result


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
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--streams", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=50.0, help="packets a second and stream")
    parser.add_argument("--seconds", type=float, default=5.0, help="of measuring, per stage")
    parser.add_argument("--directory", help="where to write; default: a temporary one")
    parser.add_argument("--stage", choices=["send", *STAGES], help=argparse.SUPPRESS)
    parser.add_argument("--suite", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if options.stage == "send":
        send(json.load(sys.stdin), options.rate, options.seconds, options.suite)
        return
    if options.stage is not None:
        stage = STAGES[options.stage]
        print(json.dumps(stage(options.streams, options.rate, options.seconds, options.directory)))
        return
    # Not removed before the end: ext4 is slow to make files where some were deleted.
    with tempfile.TemporaryDirectory(prefix="capture-", dir=options.directory) as directory:
        base = None
        for stage in STAGES:
            os.mkdir(f"{directory}/{stage}")
            done = subprocess.run(
                command(
                    stage,
                    [
                        *("--directory", f"{directory}/{stage}"),
                        *("--streams", str(options.streams), "--rate", str(options.rate)),
                        *("--seconds", str(options.seconds)),
                    ],
                ),
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                timeout=90 + 3 * options.seconds,
            )
            result = json.loads(done.stdout)
            cost = result.get("microsecondsPerPacket")
            base = base or cost
            if cost is not None:
                result["ratioToFloor"] = round(cost / base, 2)
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
