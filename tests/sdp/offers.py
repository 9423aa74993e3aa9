"""
Offers for the tests of this package.
"""

from hypothesis import strategies as st

from siprec.sdp.model import Attributes, Codec, Connection, Media, Origin, SessionDescription

__all__ = ["descriptions", "line", "offer", "previousCodecs"]

ORIGIN = Origin("src", 1, 1, "IP4", "192.0.2.7")
PEER = Connection("IP4", "192.0.2.7")


def line(
    *attributes: str,
    formats: str = "0",
    kind: str = "audio",
    port: int = 4000,
    protocol: str = "RTP/AVP",
    connection: Connection | None = None,
) -> Media:
    """
    @param attributes: each C{"name:value"} or C{"name"}.
    @return: a media line.
    """
    split: list[tuple[str, str | None]] = []
    for text in attributes:
        name, colon, value = text.partition(":")
        split.append((name, value if colon else None))
    return Media(kind, port, protocol, tuple(formats.split()), connection, tuple(split))


def offer(
    *media: Media, attributes: Attributes = (), connection: Connection | None = PEER
) -> SessionDescription:
    """
    @return: an offer with these media lines.
    """
    return SessionDescription(ORIGIN, media, attributes=attributes, connection=connection)


def previousCodecs(media: Media) -> tuple[Codec, ...]:
    """
    @return: the codecs of C{media} without their parameters.
    """
    return tuple(Codec(c.payloadType, c.name, c.clockRate, c.channels) for c in media.codecs)


_ATTRIBUTES = st.lists(
    st.sampled_from(
        [
            "sendonly",
            "recvonly",
            "inactive",
            "sendrecv",
            "label:1",
            "label:2",
            "label:",
            "rtcp-mux",
            "rtcp:4009 IN IP4 192.0.2.8",
            "rtpmap:96 telephone-event/8000",
            "rtpmap:97 telephone-event/48000",
            "rtpmap:98 opus/48000/2",
            "rtpmap:99 pcma/8000",
            "rtpmap:0 PCMU/8000",
            "fmtp:96 0-15",
            "crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x",
            "mid:a",
        ]
    ),
    max_size=8,
)

_FORMATS = ["0", "3", "8", "9", "13", "19", "96", "97", "98", "99", "t38"]
_KINDS = ["audio", "audio", "audio", "video", "text", "image", "message", "application"]

_LINES = st.builds(
    lambda attributes, formats, kind, port, protocol, connection: line(
        *attributes,
        formats=" ".join(formats),
        kind=kind,
        port=port,
        protocol=protocol,
        connection=connection,
    ),
    _ATTRIBUTES,
    st.lists(
        st.sampled_from(["0", "3", "8", "9", "13", "19", "96", "97", "98", "99", "t38"]), max_size=6
    ),
    st.sampled_from(
        ["audio", "audio", "audio", "video", "text", "image", "message", "application"]
    ),
    st.sampled_from([0, 4000, 5000, 65535]),
    st.sampled_from(["RTP/AVP", "RTP/AVP", "RTP/AVPF", "RTP/SAVP", "udptl", "TCP/MSRP"]),
    st.sampled_from(
        [None, None, PEER, Connection("IP4", "0.0.0.0"), Connection("IP6", "2001:db8::7")]
    ),
)

descriptions: st.SearchStrategy[SessionDescription] = st.builds(
    lambda media, direction, connection: offer(
        *media,
        attributes=((direction, None), ("group", "BUNDLE a b")) if direction else (),
        connection=connection,
    ),
    st.lists(_LINES, min_size=1, max_size=12),
    st.sampled_from(["", "sendonly", "inactive", "recvonly"]),
    st.sampled_from([None, PEER, Connection("IP6", "2001:db8::7")]),
)
"""Offers of every kind that a recorder may meet."""
