"""
A node of a cluster that does nothing but answer, as a process of its own::

    python -m tests.functional.clusternode NODE-ID INSTANCE KEY

It says where it listens, and runs until it is killed.
"""

from __future__ import annotations

import sys
from typing import Any, cast

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred

from siprec.cluster.credentials import Credentials
from siprec.cluster.links import ClusterLinks
from siprec.ids import nodeID

reactor = cast(Any, _reactor)


def main(name: str, instance: str, key: str) -> None:
    """
    Run the node.
    """
    links = ClusterLinks(
        reactor,
        nodeID(name),
        instance,
        "tcp:0:interface=127.0.0.1",
        credentials=Credentials(bytes.fromhex(key)),
        leaseOf=lambda node: None,
    )
    links.handle("echo", lambda peer, body: [peer.nodeID, body])
    links.handle("wait", lambda peer, body: Deferred())
    links.startService()
    print(f"listening {links.address}")
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
