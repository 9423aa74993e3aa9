"""
Tests of L{siprec.cluster.ring}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.ring import neighbours
from siprec.ids import NodeID

_NODES = st.sets(st.sampled_from([NodeID(each) for each in "abcdefghij"]), min_size=1)


class NeighboursTests(SynchronousTestCase):
    """
    Who watches whom.
    """

    def test_next(self) -> None:
        """
        A node watches the two behind it in the order of their names.
        """
        others = [NodeID(each) for each in "dacb"]
        self.assertEqual(neighbours(NodeID("a"), others), ["b", "c"])

    def test_aroundTheEnd(self) -> None:
        """
        Behind the last one comes the first.
        """
        others = [NodeID(each) for each in "abcd"]
        self.assertEqual(neighbours(NodeID("c"), others), ["d", "a"])
        self.assertEqual(neighbours(NodeID("d"), others), ["a", "b"])

    def test_few(self) -> None:
        """
        Of two nodes each watches the other, once; alone there is none to watch.
        """
        self.assertEqual(neighbours(NodeID("b"), [NodeID("a")]), ["a"])
        self.assertEqual(neighbours(NodeID("a"), [NodeID("a")]), [])

    @given(_NODES)
    def test_everyOneIsWatched(self, nodes: set[NodeID]) -> None:
        """
        Every node is watched by two others, or by all where there are fewer.
        """
        watchers = dict.fromkeys(nodes, 0)
        for node in nodes:
            for watched in neighbours(node, nodes):
                watchers[watched] += 1
        self.assertEqual(set(watchers.values()), {min(2, len(nodes) - 1)})
