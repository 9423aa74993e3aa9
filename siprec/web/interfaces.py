"""
What the HTTP interface asks of the node it belongs to.
"""

from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Interface

from siprec.session.archive import NoSuchRecording


class NotRunning(Exception):
    """
    The recording is known, but it is not running (any more).
    """


class INodeControl(Interface):
    """
    The node, as operators see it.
    """

    def notReady() -> list[str]:
        """
        @return: why no new session can be taken now, one reason each, fit for
            a person; empty if the node is ready.
        """

    def notes() -> list[str]:
        """
        @return: what is not as it should be, though sessions are taken, one
            line each.
        """

    def nodes() -> Deferred[list[dict[str, Any]]]:
        """
        @return: fires with one JSON object for each live node of the cluster,
            this one included; each has at least C{"id"}.
        """

    def drain() -> Deferred[None]:
        """
        Begin to drain: take no new session, move or close the running ones.
        It is no error to ask for it again.

        @return: fires when draining has begun (not when it is over).
        """

    def stopRecording(recording: str, who: str) -> Deferred[dict[str, Any]]:
        """
        End a running recording; its peer is told.

        @param recording: a recording's id.
        @param who: who asked for it, for the recording's events.
        @return: fires with the recording's manifest as it is now.  Fails with
            L{NoSuchRecording} or L{NotRunning}.
        """

    def pauseRecording(recording: str, who: str, reason: str | None) -> Deferred[dict[str, Any]]:
        """
        Keep nothing of a running recording from now on; its peer is not told.  It is no
        error to ask for it again.

        @param who: asks for it, for the recording's events; C{reason} is why.
        @return: as of L{stopRecording}, once nothing is written any more and another
            node that goes on with the recording would know, as far as the store can be
            reached.
        """

    def resumeRecording(recording: str, who: str, reason: str | None) -> Deferred[dict[str, Any]]:
        """
        Undo L{pauseRecording}.  It is no error to ask for it where nothing is paused.

        @return: likewise, once what comes is kept.
        """


__all__ = ["INodeControl", "NoSuchRecording", "NotRunning"]
