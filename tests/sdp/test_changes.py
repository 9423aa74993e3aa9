"""
Tests of L{siprec.sdp.changes}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.sdp.changes import changed
from siprec.sdp.model import SessionDescription
from siprec.sdp.parse import parseSDP


def described(*lines: str, host: str = "192.0.2.7") -> SessionDescription:
    """
    @return: a description with these lines below its head.
    """
    head = ("v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0")
    return parseSDP("\r\n".join([*head, *lines, ""]).encode())


PLAIN = ("m=audio 4000 RTP/AVP 0", "a=sendonly", "a=label:1")


class ChangedTests(SynchronousTestCase):
    """
    What a peer changes of a running line.
    """

    def test_nothing(self) -> None:
        """
        Directions and labels are told elsewhere.
        """
        other = described(PLAIN[0], "a=inactive", "a=label:2")
        self.assertEqual(changed(described(*PLAIN), other, 0), ())

    def test_address(self) -> None:
        """
        Another port or address is another place, but not the null address of a hold.
        """
        before = described(*PLAIN)
        self.assertEqual(changed(before, described(*PLAIN, host="192.0.2.8"), 0), ("address",))
        port = described("m=audio 4002 RTP/AVP 0")
        self.assertEqual(changed(before, port, 0), ("address",))
        self.assertEqual(changed(before, described(*PLAIN, host="0.0.0.0"), 0), ())

    def test_codecs(self) -> None:
        """
        So are other formats, and another profile.
        """
        before = described(*PLAIN)
        self.assertEqual(changed(before, described("m=audio 4000 RTP/AVP 8"), 0), ("codecs",))
        profile = described("m=audio 4000 RTP/AVPF 0")
        self.assertEqual(changed(before, profile, 0), ("protocol",))

    def test_lines(self) -> None:
        """
        A line that only one of the two has in use has not changed.
        """
        one, two = described(*PLAIN), described(*PLAIN, *PLAIN)
        self.assertEqual(changed(one, two, 1), ())
        self.assertEqual(changed(two, one, 1), ())
        self.assertEqual(changed(described("m=audio 0 RTP/AVP 0"), one, 0), ())
