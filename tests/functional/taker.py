"""
C{python -m tests.functional.taker DIRECTORY}: a process that captures at ports which
it takes from another process of this host, and gives them back.

Each line of the standard input is a command and each is answered with a line:
C{claim NAME HOST PORT...} binds the ports that are shared and captures them in journals
C{NAME-PORT.rtpdump}; C{share} and C{divert} do that; C{end} captures until it is quiet
and closes the ports.
"""

from __future__ import annotations

import sys

from attrs import define, field

from siprec.media.capture import CapturedStream
from tests.functional.handover import Node


@define(eq=False)
class Commands:
    """
    What the lines do.
    """

    _node: Node
    _streams: list[CapturedStream] = field(factory=list)

    def claim(self, name: str, host: str, *ports: str) -> None:
        """
        Take ports over.
        """
        self._streams = self._node.claim(name, host, [int(port) for port in ports])

    def share(self) -> None:
        """
        Let the other process claim them.
        """
        self._node.share(self._streams)

    def divert(self) -> None:
        """
        Have the other process get the packets.
        """
        self._node.divert(self._streams)

    def end(self) -> None:
        """
        Capture the rest.
        """
        self._node.end(self._streams)


def main(directory: str) -> None:
    """
    Do what is asked until the input ends.
    """
    node = Node(directory)
    commands = Commands(node)
    for line in sys.stdin:
        name, *words = line.split()
        getattr(commands, name)(*words)
        sys.stdout.write("done\n")
        sys.stdout.flush()
    node.close()


if __name__ == "__main__":
    main(sys.argv[1])
