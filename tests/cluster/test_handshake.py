"""
Tests of L{siprec.cluster.handshake}.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.handshake import (
    Authenticated,
    Effects,
    Handshake,
    HandshakeError,
    NoCommonSchema,
    NotAuthentic,
    OtherPeer,
    Peer,
    Refused,
    Send,
    effectiveKey,
)
from siprec.cluster.wire import frame, pack
from siprec.ids import NodeID

A, B = Peer(NodeID("a"), "a1"), Peer(NodeID("b"), "b1")
KEY = b"k" * 32


def connecting(key: bytes = KEY, own: Peer = A, expected: Peer = B, **more: Any) -> Handshake:
    """
    @return: the side of C{A}.
    """
    return Handshake.connecting(own, expected, key, **more)


def listening(key: bytes = KEY, own: Peer = B, **more: Any) -> Handshake:
    """
    @return: the side of C{B}.
    """
    return Handshake.listening(own, key, **more)


def sent(effects: Effects) -> bytes:
    """
    @return: what goes to the peer.
    """
    return b"".join(each.data for each in effects if isinstance(each, Send))


def ends(effects: Effects) -> list[object]:
    """
    @return: how it ended: the kind of error, or what was agreed.
    """
    return [
        type(each.error) if isinstance(each, Refused) else each
        for each in effects
        if not isinstance(each, Send)
    ]


def meet(near: Handshake, far: Handshake, size: int = 10_000) -> tuple[list[object], list[object]]:
    """
    Carry the bytes between both, C{size} at a time.

    @return: how it ended on each side.
    """
    nearEffects, farEffects = near.start(), far.start()
    nearDone, farDone = ends(nearEffects), ends(farEffects)
    toFar, toNear = sent(nearEffects), sent(farEffects)
    while toFar or toNear:
        data, toFar = toFar, b""
        for start in range(0, len(data), size):
            effects = far.feed(data[start : start + size])
            toNear += sent(effects)
            farDone += ends(effects)
        data, toNear = toNear, b""
        for start in range(0, len(data), size):
            effects = near.feed(data[start : start + size])
            toFar += sent(effects)
            nearDone += ends(effects)
    return nearDone, farDone


class AgreementTests(SynchronousTestCase):
    """
    Two nodes of one cluster.
    """

    def test_both(self) -> None:
        """
        With the same key both learn who the other is, however the bytes are cut.
        """
        for size in (1, 5, 10_000):
            near, far = meet(connecting(), listening(), size)
            self.assertEqual((near, far), ([Authenticated(B, 1)], [Authenticated(A, 1)]))

    def test_silentListener(self) -> None:
        """
        The listening side says nothing before it was greeted.
        """
        self.assertEqual(listening().start(), [])

    def test_secret(self) -> None:
        """
        The cluster's secret is part of the key.
        """
        self.assertEqual(effectiveKey(KEY, None), KEY)
        one, two = effectiveKey(KEY, b"one"), effectiveKey(KEY, b"two")
        self.assertEqual(len({KEY, one, two}), 3)
        near, far = meet(connecting(one), listening(one))
        self.assertEqual((near, far), ([Authenticated(B, 1)], [Authenticated(A, 1)]))
        for other in (KEY, two):
            self.assertEqual(meet(connecting(other), listening(one)), ([], [NotAuthentic]))

    def test_secrets(self) -> None:
        """
        The listening side takes each of the keys that it is given, and proves itself
        with the one that the other side has, which knows no other.
        """
        one, two, three = (effectiveKey(KEY, each) for each in (b"one", b"two", b"three"))
        for key in (one, two):
            near, far = meet(connecting(key), Handshake.listening(B, one, two))
            self.assertEqual((near, far), ([Authenticated(B, 1)], [Authenticated(A, 1)]))
        listener = Handshake.listening(B, one, two)
        self.assertEqual(meet(connecting(three), listener), ([], [NotAuthentic]))

    def test_highestSchema(self) -> None:
        """
        The highest schema that both speak is chosen.
        """
        near, far = meet(connecting(schemas=(1, 3)), listening(schemas=(2, 7)))
        self.assertEqual((near, far), ([Authenticated(B, 3)], [Authenticated(A, 3)]))

    def test_noCommonSchema(self) -> None:
        """
        Where there is none, both sides say so, with the ranges.
        """
        near, far = connecting(schemas=(1, 1)), listening(schemas=(2, 3))
        self.assertEqual(meet(near, far), ([NoCommonSchema], [NoCommonSchema]))
        effects = listening(schemas=(2, 3)).feed(sent(connecting().start()))
        refused = effects[-1]
        assert isinstance(refused, Refused)
        self.assertEqual(str(refused.error), "it speaks schemas 1 to 1, this node 2 to 3")

    def test_rest(self) -> None:
        """
        What comes right after the handshake is handed on.
        """
        near, far = connecting(), listening()
        proof = near.feed(sent(far.feed(sent(near.start()))))
        effects = far.feed(sent(proof) + b"rest")
        self.assertEqual(ends(effects), [Authenticated(A, 1, b"rest")])
        self.assertEqual(ends(near.feed(sent(effects) + b"x")), [Authenticated(B, 1, b"x")])

    def test_newerGreeting(self) -> None:
        """
        A greeting may say more than we know.
        """
        greeting = pack(["siprec cluster 1", [1, 9], "a", "a1", bytes(32), "more"])
        self.assertEqual(ends(listening().feed(frame(greeting))), [])


class AttackTests(SynchronousTestCase):
    """
    Peers that do not know the key.
    """

    def test_wrongKey(self) -> None:
        """
        Without the key the connecting side is refused, and gets no proof.
        """
        near, far = connecting(b"x" * 32), listening()
        effects = far.feed(sent(near.feed(sent(far.feed(sent(near.start()))))))
        self.assertEqual((sent(effects), ends(effects)), (b"", [NotAuthentic]))

    def test_wrongListener(self) -> None:
        """
        A listener without the key is refused, however it takes our proof.
        """
        near = connecting()
        hello = sent(listening().feed(sent(near.start())))
        near.feed(hello)
        self.assertEqual(ends(near.feed(frame(bytes(32)))), [NotAuthentic])

    def test_otherPeer(self) -> None:
        """
        Another instance, or another node, than the wanted one is named, and gets no
        proof.
        """
        for other in (Peer(B.nodeID, "b2"), Peer(NodeID("c"), "b1")):
            near = connecting()
            effects = near.feed(sent(listening(own=other).feed(sent(near.start()))))
            (refused,) = effects
            assert isinstance(refused, Refused) and isinstance(refused.error, OtherPeer)
            self.assertEqual(refused.error.peer, other)

    def test_replay(self) -> None:
        """
        What one side said in a good handshake is of no use in another, to either side.
        """
        near, far = connecting(), listening()
        first = sent(near.start())
        hello = sent(far.feed(first))
        proof = sent(near.feed(hello))
        answer = sent(far.feed(proof))
        again = listening()
        again.feed(first)
        self.assertEqual(ends(again.feed(proof)), [NotAuthentic])
        fresh = connecting()
        fresh.start()
        fresh.feed(hello)
        self.assertEqual(ends(fresh.feed(answer)), [NotAuthentic])

    def test_reflectedGreeting(self) -> None:
        """
        Our own greeting, sent back to us, is refused on both sides.
        """
        near = connecting()
        self.assertEqual(ends(near.feed(sent(near.start()))), [HandshakeError])
        far = listening()
        hello = sent(far.feed(sent(connecting().start())))
        self.assertEqual(ends(listening().feed(hello)), [HandshakeError])

    def test_reflectedProof(self) -> None:
        """
        The connecting side's own proof, sent back to it, proves nothing.
        """
        near = connecting()
        proof = sent(near.feed(sent(listening().feed(sent(near.start())))))
        self.assertEqual(ends(near.feed(proof)), [NotAuthentic])

    def test_parallel(self) -> None:
        """
        A proof for one connection does not serve in another one to the same node.
        """
        near, far, other = connecting(), listening(), listening()
        first = sent(near.start())
        proof = sent(near.feed(sent(far.feed(first))))
        other.feed(first)
        self.assertEqual(ends(other.feed(proof)), [NotAuthentic])

    def test_changedGreeting(self) -> None:
        """
        Who changes the schemas, or a name, on the way is found out.
        """
        near, far = connecting(schemas=(1, 2)), listening(schemas=(1, 2))
        first = sent(near.start())
        lowered = first.replace(pack([1, 2]), pack([1, 1]))
        self.assertNotEqual(lowered, first)
        proof = sent(near.feed(sent(far.feed(lowered))))
        self.assertEqual(ends(far.feed(proof)), [NotAuthentic])


class GarbageTests(SynchronousTestCase):
    """
    Peers that are no nodes at all.
    """

    def test_noGreeting(self) -> None:
        """
        What is no greeting is refused.
        """
        good: list[Any] = ["siprec cluster 1", [1, 1], "a", "a1", bytes(32)]
        bad: list[Any] = [*({}, [], good[:4], ["siprec cluster 2", *good[1:]])]
        wrong: list[tuple[int, list[Any]]] = [
            (1, [None, [], [1], [2, 1], [0, 1], [1.0, 2], [True, 1], [1, 2, 3], 5]),
            (2, [None, 5, "", "a b", "a" * 65, b"a"]),
            (3, [None, "", "i" * 129, b"a1"]),
            (4, [None, bytes(31), bytes(33), "x" * 32]),
        ]
        for index, values in wrong:
            bad.extend([*good[:index], value, *good[index + 1 :]] for value in values)
        for greeting in bad:
            handshake = listening()
            self.assertEqual(ends(handshake.feed(frame(pack(greeting)))), [HandshakeError])
        self.assertEqual(ends(listening().feed(b"\0\0\0\1\xc1")), [HandshakeError])

    def test_size(self) -> None:
        """
        A frame above 1024 bytes is refused by its length alone, before the greeting and
        after it; so is anything that only looks like one.
        """
        self.assertEqual(ends(listening().feed(b"\0\0\4\1")), [HandshakeError])
        self.assertEqual(ends(listening().feed(b"GET / HTTP/1.1\r\n")), [HandshakeError])
        far = listening()
        far.feed(sent(connecting().start()))
        self.assertEqual(ends(far.feed(b"\0\0\4\1")), [HandshakeError])

    def test_timeout(self) -> None:
        """
        In each state but the last ones the time may run out.
        """
        near, far = connecting(), listening()
        hello = sent(near.start())
        far.feed(hello)
        self.assertEqual(ends(near.timeout()), [HandshakeError])
        self.assertEqual(ends(far.timeout()), [HandshakeError])

    def test_afterTheEnd(self) -> None:
        """
        After the end nothing has any effect.
        """
        refused = listening()
        refused.timeout()
        near, far = connecting(), listening()
        meet(near, far)
        for each in (refused, near, far):
            self.assertEqual((each.feed(b"\0\0\0\0"), each.timeout()), ([], []))

    @given(st.lists(st.binary(max_size=60)))
    def test_anything(self, pieces: list[bytes]) -> None:
        """
        Whatever comes, there is at most one end, and it is a refusal.
        """
        for handshake in (connecting(), listening()):
            found: list[object] = []
            for piece in pieces:
                found.extend(ends(handshake.feed(piece)))
            self.assertIn(found, ([], [HandshakeError]))
