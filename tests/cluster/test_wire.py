"""
Tests of L{siprec.cluster.wire}.
"""

import contextlib
from typing import Any

import msgpack
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.wire import (
    MAX_FRAME,
    Answer,
    BadFrame,
    Failed,
    FrameCutter,
    FrameReader,
    Goodbye,
    Message,
    Notice,
    Ping,
    Pong,
    Request,
    Unsendable,
    encode,
    frame,
    pack,
    unpack,
)

EACH: list[Message] = [
    Request(1, "claim", {"id": "a", "epoch": 3, "blob": b"\x00\xff", "none": None}),
    Answer(2**64 - 1, [1.5, True]),
    Failed(3, "KeyError", "no such thing"),
    Notice("left", "n1"),
    Ping(4),
    Pong(5),
    Goodbye(),
]

PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec=None))
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(0, 9), inner),
    max_leaves=20,
)


class MessageTests(SynchronousTestCase):
    """
    Messages to frames and back.
    """

    def test_each(self) -> None:
        """
        Each kind of message comes back as it was, however the stream is cut.
        """
        stream = b"".join(encode(message) for message in EACH)
        for size in (1, 3, 7, len(stream)):
            reader = FrameReader()
            found: list[Message] = []
            for start in range(0, len(stream), size):
                found.extend(reader.feed(stream[start : start + size]))
            self.assertEqual(found, EACH)

    @given(PLAIN)
    def test_bodies(self, body: Any) -> None:
        """
        Any plain value can be a body, text with lone surrogates too.
        """
        self.assertEqual(FrameReader().feed(encode(Answer(1, body))), [Answer(1, body)])

    def test_tuples(self) -> None:
        """
        A tuple comes back as a list.
        """
        self.assertEqual(unpack(pack((1, (2,)))), [1, [2]])

    def test_unsendable(self) -> None:
        """
        What is no plain value is refused before it is sent.
        """
        deep: Any = []
        for _ in range(2000):
            deep = [deep]
        for body in (object(), {1, 2}, 2**64, deep):
            self.assertRaises(Unsendable, encode, Notice("n", body))

    def test_longest(self) -> None:
        """
        A frame of the longest length passes, and one byte more is not sent.
        """
        head = len(encode(Notice("n", b"x" * 70_000))) - 4 - 70_000
        fits = Notice("n", b"x" * (MAX_FRAME - head))
        self.assertEqual(FrameReader().feed(encode(fits)), [fits])
        self.assertRaises(Unsendable, encode, Notice("n", b"x" * (MAX_FRAME - head + 1)))

    def test_newer(self) -> None:
        """
        Codes that are not known, and fields after the known ones, are passed over.
        """
        stream = frame(pack([99, "what"])) + frame(pack([5, 1, "more"])) + frame(pack([-1]))
        self.assertEqual(FrameReader().feed(stream), [Ping(1)])


class GarbageTests(SynchronousTestCase):
    """
    Streams that are to be closed.
    """

    def test_length(self) -> None:
        """
        A length of 0, or above the limit, is refused as soon as it is read.
        """
        for head in (b"\0\0\0\0", (MAX_FRAME + 1).to_bytes(4, "big"), b"GET / HTTP/1.1\r\n"):
            self.assertRaises(BadFrame, FrameReader().feed, head)

    def test_damaged(self) -> None:
        """
        A frame that is no msgpack, no array with a code, or a message without one of
        its fields or with one of another kind, is refused.
        """
        values: list[object] = [
            *({}, 1, [], ["x"], [True], [None]),
            *([1], [1, 1, "k"], [1, "1", "k", 0], [1, -1, "k", 0], [1, True, "k", 0]),
            *([1, 1, b"k", 0], [2, 1], [3, 1, "n", None], [4, 1, 0], [5], [6, 1.0]),
        ]
        for value in values:
            self.assertRaises(BadFrame, FrameReader().feed, frame(pack(value)))
        for payload in (b"\xc1", b"\x91", b"\x01\x02", b"\x81\x90\x01", b"\x91" * 5000):
            self.assertRaises(BadFrame, FrameReader().feed, frame(payload))

    def test_extension(self) -> None:
        """
        Values of types that we do not send are refused.
        """
        extended = msgpack.packb([4, "n", msgpack.ExtType(5, b"x")])
        self.assertRaises(BadFrame, FrameReader().feed, frame(extended))

    @given(st.binary(min_size=1, max_size=200))
    def test_anything(self, payload: bytes) -> None:
        """
        Whatever a frame holds, it is a message or refused.
        """
        with contextlib.suppress(BadFrame):
            FrameReader().feed(frame(payload))


class CutterTests(SynchronousTestCase):
    """
    L{FrameCutter}.
    """

    def test_limit(self) -> None:
        """
        Frames up to the limit are taken; the length alone tells of a longer one.
        """
        cutter = FrameCutter(3)
        cutter.add(frame(b"abc") + b"\0\0\0")
        self.assertEqual((cutter.take(), cutter.take()), (b"abc", None))
        cutter.add(b"\4")
        self.assertRaises(BadFrame, cutter.take)

    def test_rest(self) -> None:
        """
        What is left can be given to another reader, once.
        """
        cutter = FrameCutter(3)
        cutter.add(frame(b"a") + b"xyz")
        cutter.take()
        self.assertEqual((cutter.rest(), cutter.rest()), (b"xyz", b""))
