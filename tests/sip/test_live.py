"""
Requests that real clients sent, through the whole of the message core.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.message import parseMessage
from siprec.sip.multipart import leaves, parseBody
from tests.sip.vectors import NO_ORIGINALS, original


class LiveTests(SynchronousTestCase):
    """
    L{parseMessage}, C{serialize} and L{parseBody}.
    """

    folder = original("live")
    if folder is None:
        skip = NO_ORIGINALS

    def test_J8_identity(self) -> None:
        """
        Each is parsed, and serialised to the bytes that came, but for the
        blanks with which PJSIP pads its Content-Length.
        """
        assert self.folder is not None
        paths = sorted(self.folder.rglob("*.sip"))
        self.assertNotEqual(paths, [])
        for path in paths:
            data = path.read_bytes()
            sent = parseMessage(data).serialize()
            self.assertEqual(sent.replace(b" ", b""), data.replace(b" ", b""), path)

    def test_J8_inviteBodies(self) -> None:
        """
        Every SIPREC INVITE has an SDP and a metadata part, in whatever order.
        """
        assert self.folder is not None
        for path in sorted(self.folder.rglob("001-INVITE-*.sip")):
            message = parseMessage(path.read_bytes())
            found = {
                (leaf.contentType or ("",))[0]: leaf.body
                for leaf in leaves(parseBody(message.headers, message.body))
            }
            self.assertTrue(found.pop("application/sdp").startswith(b"v=0"), path)
            self.assertIn(b"<recording", b"".join(found.values()), path)
