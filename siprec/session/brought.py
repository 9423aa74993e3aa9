"""
What a client brings: the streams that it wants to have recorded, and what it says of
them.
"""

from __future__ import annotations

from attrs import field, frozen

from siprec.media.keys import MasterKey
from siprec.metadata.model import MetadataDocument
from siprec.session.model import Format

__all__ = ["MEDIA_TYPE", "Document", "StreamRequest"]


@frozen
class StreamRequest:
    """
    A stream that is to be recorded.

    @ivar mediaIndex: its m-line, from 0.
    @ivar formats: the payload types that our answer will accept.
    @ivar direction: of our answer, C{recvonly} or C{inactive}.
    @ivar keys: see L{siprec.session.model.StreamInfo.keys}.
    """

    mediaIndex: int
    label: str | None
    formats: tuple[Format, ...]
    kind: str = "audio"
    direction: str = "recvonly"
    keys: tuple[MasterKey, ...] | None = None


#: The media type of RFC 9806; the one of RFC 7866 is still sent, too.
MEDIA_TYPE = "application/rs-metadata+xml"


@frozen
class Document:
    """
    An rs-metadata document: what came and what was understood of it.

    @ivar mediaType: the one it came by, of the two that there are.
    """

    body: bytes = field(repr=False)
    parsed: MetadataDocument
    mediaType: str = MEDIA_TYPE
