"""
Ports go from one process to another while packets come.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

import siprec
from tests.functional.handover import Node
from tests.functional.test_capture import hasVersion6
from tests.media.fakes import packetsOf

#: Streams, each of a peer with a port of its own; and packets a second of each.
STREAMS, RATE = 6, 50
#: Seconds in which the ports go to and fro as often as they can, and how often they do
#: at least, however slow the machine is.
LASTING, LEAST = 4.0, 12


class Taker:
    """
    The other process.
    """

    def __init__(self, directory: str) -> None:
        root = os.path.dirname(os.path.dirname(os.path.abspath(siprec.__file__)))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.functional.taker", directory],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": root},
        )

    def ask(self, *words: str) -> str:
        """
        @return: its answer.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(" ".join(words) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()

    def close(self) -> None:
        """
        Wait for its end.
        """
        self._process.communicate()


class HandOverTests(SynchronousTestCase):
    """
    L{siprec.media.ports.PortPool} in two processes.
    """

    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)
        self.node, self.taker = Node(self.directory), Taker(self.directory)
        self.addCleanup(self.node.close)
        self.addCleanup(self.taker.close)
        self.refused = 0

    @contextmanager
    def senders(self, host: str, ports: list[int]) -> Iterator[Counter[bytes]]:
        """
        Send RTP and RTCP to each port as long as the context lasts.

        @return: all that is sent.
        """
        sent: Counter[bytes] = Counter()
        over = threading.Event()
        version = socket.AF_INET6 if ":" in host else socket.AF_INET
        sockets = {port: socket.socket(version, socket.SOCK_DGRAM) for port in ports}
        for port, sock in sockets.items():
            # Connected: who is told that a port is closed would see it here.
            sock.connect((host, port))

        def send() -> None:
            began, number = time.monotonic(), 0
            while not over.wait(max(began + number / RATE - time.monotonic(), 0.0)):
                for port, sock in sockets.items():
                    packet = b"\x80\x00%d-%d" % (port, number)
                    sent[packet] += 1
                    try:
                        sock.send(packet)
                    except ConnectionRefusedError:
                        self.refused += 1
                number += 1

        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield sent
        finally:
            over.set()
            thread.join()
            for sock in sockets.values():
                sock.close()

    def captured(self) -> Counter[bytes]:
        """
        @return: all that is in the journals of both processes.
        """
        journals = Path(self.directory).glob("*.rtpdump")
        return Counter(packet for each in journals for packet, _ in packetsOf(str(each)))

    def handOver(self, host: str) -> int:
        """
        Let the ports go to and fro.

        @return: how many times they went.
        """
        streams = self.node.begin("0", host, STREAMS)
        ports = [each.pair.rtpPort for each in streams]
        turns = 0
        with self.senders(host, [each + odd for each in ports for odd in (0, 1)]) as sent:
            until = time.monotonic() + LASTING
            while time.monotonic() < until or turns < LEAST:
                self.node.share(streams)
                self.taker.ask("claim", f"{turns + 1}", host, *map(str, ports))
                self.node.divert(streams)
                self.node.end(streams)
                self.taker.ask("share")
                streams = self.node.claim(f"{turns + 2}", host, ports)
                self.taker.ask("divert")
                self.taker.ask("end")
                turns += 2
        self.node.end(streams)
        self.assertEqual(self.captured(), sent)
        self.assertEqual(self.refused, 0)
        return turns

    def test_noPacketLost(self) -> None:
        """
        However often ports go from one process to the other and back, each packet is
        in one journal of one of them, and no peer is told that a port is closed.
        """
        self.assertGreater(self.handOver("127.0.0.1"), 10)

    def test_version6(self) -> None:
        """
        The same with IPv6.
        """
        if not hasVersion6():
            raise SkipTest("no IPv6 here")
        self.assertGreater(self.handOver("::1"), 10)

    def test_everyAddress(self) -> None:
        """
        The same with ports that are bound at all addresses of the host.
        """
        self.assertGreater(self.handOver("0.0.0.0"), 10)

    def test_onlyWhoSaysSo(self) -> None:
        """
        Ports that are not shared cannot be claimed; nor can those that were taken,
        until they are shared again.
        """
        one, two, three = (Node(self.directory) for _ in range(3))
        for each in (one, two, three):
            self.addCleanup(each.close)
        (stream,) = one.begin("a", "127.0.0.1", 1)
        port = stream.pair.rtpPort
        self.addCleanup(one.pool.release, stream.pair)
        self.assertRaises(OSError, two.claim, "b", "127.0.0.1", [port])
        one.share([stream])
        (taken,) = two.claim("b", "127.0.0.1", [port])
        self.addCleanup(two.pool.release, taken.pair)
        one.divert([stream])
        self.assertRaises(OSError, three.claim, "c", "127.0.0.1", [port])
        self.assertRaises(OSError, three.pool.claim, "127.0.0.1", port)

    def test_undone(self) -> None:
        """
        Where the other process has given up, ports that were diverted take packets
        from everybody again, and can be claimed by nobody.
        """
        node = self.node
        for host in ("127.0.0.1", "0.0.0.0"):
            (stream,) = node.begin(host, host, 1)
            pair = stream.pair
            node.share([stream])
            (taken,) = node.claim(f"{host}b", host, [pair.rtpPort])
            node.divert([stream])
            node.end([taken])
            node.pool.unshare(pair)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"\x80\x00again", ("127.0.0.1", pair.rtpPort))
            self.assertRaises(OSError, node.claim, "c", host, [pair.rtpPort])
            node.end([stream])
            self.assertEqual(packetsOf(stream.path), [(b"\x80\x00again", False)])
            self.assertRaises(OSError, node.pool.unshare, pair)
