"""
Tests of L{siprec.ids}.
"""

import time
from uuid import RFC_4122, UUID

from twisted.trial.unittest import SynchronousTestCase

from siprec import ids


class NodeIDTests(SynchronousTestCase):
    """
    L{ids.nodeID} admits exactly the agreed alphabet and length.
    """

    def test_accepted(self) -> None:
        """
        Letters, digits, dot, underscore and hyphen, 1 to 64 of them, are a name.
        """
        for text in ("a", "node-1", "rec_2.example.com", "X" * 64):
            self.assertEqual(ids.nodeID(text), text)

    def test_refused(self) -> None:
        """
        Nothing, too much, and what could leave a folder or a key, is refused
        with the offending text in the error.
        """
        for text in ("", "x" * 65, "a b", "a/b", "a:b", "knöchel", "a\n", "\u0661"):
            error = self.assertRaises(ValueError, ids.nodeID, text)
            self.assertIn(repr(text), str(error))


class NewIdentifierTests(SynchronousTestCase):
    """
    Every new identifier has its protocol's form and is not used twice.
    """

    def test_recordingIDs(self) -> None:
        """
        Recording ids are UUIDs of version 7, and sort in the order they were made.
        """
        made = [ids.newRecordingID() for _ in range(200)]
        self.assertEqual({UUID(text).version for text in made}, {7})
        self.assertEqual(made, sorted(set(made)))

    def test_recordingTime(self) -> None:
        """
        A recording's id begins with when it was made, in milliseconds since the Unix
        epoch, also where the clock stands still or is set back.
        """
        self.patch(ids, "_named", 0)
        for nanoseconds in (10_000_000, 10_000_000, 9_000_000, 12_500_000):
            self.patch(time, "time_ns", lambda now=nanoseconds: now)
            made = UUID(ids.newRecordingID())
            self.assertEqual(made.int >> 80, max(nanoseconds, 10_000_000) // 1_000_000)
            self.assertEqual((made.version, made.variant), (7, RFC_4122))
        self.assertEqual(made.int >> 64 & 0xFFF, 1 << 11)  # half a millisecond

    def test_tags(self) -> None:
        """
        A tag is a token of at least 16 hexadecimal digits (RFC 3261 section 19.3).
        """
        tags = {ids.newTag() for _ in range(200)}
        self.assertEqual(len(tags), 200)
        for tag in tags:
            self.assertRegex(tag, r"\A[0-9a-f]{16,}\Z")

    def test_ourTags(self) -> None:
        """
        A tag that was made here is known as one; hardly any other is, whatever its
        form.
        """
        for _ in range(200):
            tag = ids.newTag()
            self.assertTrue(ids.isOurTag(tag))
            other = tag[:-1] + ("0" if tag[-1] != "0" else "1")
            for text in (other, tag[:16], tag.upper() + "g", tag + "0", f"{tag}\n", ""):
                self.assertFalse(ids.isOurTag(text))
        self.assertFalse(ids.isOurTag("0123456789abcdef"))
        self.assertFalse(ids.isOurTag("\u0660" * 24))

    def test_branches(self) -> None:
        """
        A branch begins with the magic cookie (RFC 3261 section 8.1.1.7).
        """
        branches = {ids.newBranch() for _ in range(200)}
        self.assertEqual(len(branches), 200)
        for branch in branches:
            self.assertRegex(branch, r"\Az9hG4bK[0-9a-f]{16,}\Z")

    def test_callIDs(self) -> None:
        """
        A Call-ID is a word (RFC 3261 section 25.1) and carries no host.
        """
        callIDs = {ids.newCallID() for _ in range(200)}
        self.assertEqual(len(callIDs), 200)
        for callID in callIDs:
            self.assertRegex(callID, r"\A[0-9a-f]{32}\Z")

    def test_sessionNumbers(self) -> None:
        """
        An SDP session id is above 0 and below 2**62, so that it and a few
        hundred versions after it fit 64 bits (RFC 3264 section 5).
        """
        numbers = {ids.newSessionNumber() for _ in range(200)}
        self.assertEqual(len(numbers), 200)
        self.assertGreater(min(numbers), 0)
        self.assertLess(max(numbers), 1 << 62)
