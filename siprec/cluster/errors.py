"""
What can go wrong between the nodes of a cluster.
"""

from siprec.ids import NodeID

__all__ = [
    "CannotListen",
    "LinkBusy",
    "LinkError",
    "LinkLost",
    "PeerFailed",
    "PeerLeft",
    "Refusal",
    "UnknownKind",
    "Unreachable",
]


class LinkError(Exception):
    """
    Another node could not be asked, or gave no answer.
    """


class LinkLost(LinkError):
    """
    The connection broke, or was closed, before the answer came.  Whether the other
    node has done what it was asked for is open.
    """


class PeerLeft(LinkLost):
    """
    The other node closed an idle connection before it saw this: it has done nothing.
    """


class LinkBusy(LinkError):
    """
    Too much is under way on the connection; this was not sent.
    """


class PeerFailed(LinkError):
    """
    The other node says that it failed.

    @ivar name: of its error.
    @ivar text: of its error, for people.
    """

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name, self.text = name, text


class Unreachable(LinkError):
    """
    There is no connection to a node, and none could be made.

    @ivar nodeID: the node.
    """

    def __init__(self, nodeID: NodeID, reason: str) -> None:
        super().__init__(f"{nodeID}: {reason}")
        self.nodeID = nodeID


class CannotListen(LinkError):
    """
    The cluster listener cannot be opened.
    """


class Refusal(LinkError):
    """
    Base of what an answering callable raises to say no: the peer is told, and nothing
    is wrong here.
    """


class UnknownKind(Refusal):
    """
    Nothing here answers requests of that kind.
    """
