"""
The open links of a node.
"""

from collections.abc import Iterator

from attrs import define, field

from siprec.cluster.link import Link
from siprec.ids import NodeID

__all__ = ["LinkTable"]


@define(eq=False, repr=False)
class LinkTable:
    """
    Finds the link to a node.

    There may be more than one, when both have connected at the same time; then both
    ends choose the same one, and the other is idle.
    """

    _own: NodeID
    _links: dict[NodeID, list[Link]] = field(factory=dict, init=False)

    def __iter__(self) -> Iterator[Link]:
        for links in list(self._links.values()):
            yield from list(links)

    def add(self, link: Link) -> None:
        """
        A link is authenticated.
        """
        assert link.peer is not None
        # The newest first: it is the least likely to be dead without a word.
        self._links.setdefault(link.peer.nodeID, []).insert(0, link)

    def remove(self, link: Link) -> None:
        """
        A link is closed; it may never have been added.
        """
        if link.peer is None:
            return
        links = self._links.get(link.peer.nodeID, [])
        if link in links:
            links.remove(link)
        if not links:
            self._links.pop(link.peer.nodeID, None)

    def find(self, node: NodeID, instance: str | None) -> Link | None:
        """
        @param instance: of the node; C{None} where it is not known: any will do.
        @return: the best open link.
        """
        found = [
            each
            for each in self._links.get(node, ())
            if each.isOpen and each.peer and instance in (None, each.peer.instance)
        ]
        found.sort(key=lambda link: (link.isSilent, link.ours != (self._own < node)))
        return found[0] if found else None
