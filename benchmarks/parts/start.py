"""
How long an empty node takes until it is ready for calls.
"""

from __future__ import annotations

import sys

from benchmarks.bench import Bench, cpuOf
from benchmarks.figures import Figure, Limit
from benchmarks.nodes import Node

_LIBRARIES = (
    "import attrs, automat, cryptography.x509, lxml.etree, msgpack, numpy, prometheus_client, "
    "twisted.application.service, twisted.internet.reactor, twisted.logger, twisted.web.server, "
    "zope.interface"
)


def run(bench: Bench) -> None:
    """
    Start it some times, and Python with the same libraries in turn.
    """
    waits, costs, libraries = [], [], []
    libraryCommand = [sys.executable, "-c", _LIBRARIES]
    cpuOf(libraryCommand)  # warm: the files, and what Python compiles but once
    Node(bench.place("start"), "memory:").kill()
    for _ in range(3 if bench.isQuick else 7):
        libraries.append(cpuOf(libraryCommand))
        node = Node(bench.place("start"), "memory:")
        node.kill()
        waits.append(node.startSeconds)
        costs.append(node.startCPU)
    bench.add(Figure.ofRounds("start.seconds", "s", waits, target=Limit(1.0), compared=False))
    bench.add(Figure.ofRounds("start.cpu", "s", costs, libraries, "libraries alone"))
