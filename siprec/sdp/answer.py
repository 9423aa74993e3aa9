"""
The recorder's answers and offers (RFC 3264 sections 6 and 8, RFC 7866 section 7.2).
"""

from collections.abc import Iterator, Mapping, Sequence

from attrs import evolve, frozen

from siprec.sdp.choice import Choice
from siprec.sdp.model import Attributes, Connection, Media, Origin, SessionDescription


@frozen
class LocalMedia:
    """
    Where one stream is received.

    @ivar host: the IP address to write into the description.
    @ivar port: for RTP.
    @ivar rtcpPort: for RTCP; C{None} means the port after C{port}.
    """

    host: str
    port: int
    rtcpPort: int | None = None


def makeAnswer(
    offer: SessionDescription,
    choices: Sequence[Choice],
    local: Mapping[int, LocalMedia],
    sessionID: int,
    previous: SessionDescription | None = None,
) -> SessionDescription:
    """
    Answer C{offer}: one media line for each offered, in order, with its type, transport
    and label.  Nothing that was not offered is in the answer; a BUNDLE group is left
    out, which refuses it (RFC 9143 section 7.3).

    @param choices: L{siprec.sdp.choice.choose} of the same offer.
    @param local: for each accepted index, where we receive.
    @param sessionID: for C{o=}; stays the same for a session's life.
    @param previous: what we sent last in this session, answer or offer, or C{None}.  If
        the new description says the same it has the same version, else the next one.
    @raise KeyError: C{local} lacks an index that was accepted.
    """
    return _describe(offer, choices, local, sessionID, previous)


def makeOffer(
    previous: SessionDescription,
    choices: Sequence[Choice],
    local: Mapping[int, LocalMedia],
) -> SessionDescription:
    """
    Offer the session anew: for an INVITE that came without an offer, for a recorder that
    becomes ready and for media that moves.  The lines are those of C{previous} in the
    same order, with the formats last accepted; a recorder adds none (RFC 7866 section
    7.2).  A line without a choice, or with a refusal, stays at port 0.

    @param previous: what we sent last in this session, answer or offer.
    @param choices: the choices in force, by their C{index}.
    @param local: for each accepted index, where we receive from now on.
    @raise KeyError: C{local} lacks an index that is accepted.
    """
    return _describe(previous, choices, local, previous.origin.sessionID, previous)


def _describe(
    pattern: SessionDescription,
    choices: Sequence[Choice],
    local: Mapping[int, LocalMedia],
    sessionID: int | str,
    previous: SessionDescription | None,
) -> SessionDescription:
    """
    @param pattern: the description whose media lines are followed.
    """
    byIndex = {choice.index: choice for choice in choices}
    accepted = [choice.index for choice in choices if choice.accepted]
    if accepted:
        connection = Connection.to(local[accepted[0]].host)
    elif previous is not None and previous.connection is not None:
        connection = previous.connection
    else:
        connection = Connection.to("0.0.0.0")
    if previous is None:
        origin = Origin("-", sessionID, 1, connection.family, connection.address)
    else:
        # All of o= but the version stays, even if the media moves (RFC 3264 section 8).
        origin = previous.origin
    description = SessionDescription(
        origin=origin,
        media=tuple(
            _line(media, byIndex.get(index), local, connection)
            for index, media in enumerate(pattern.media)
        ),
        connection=connection,
        timing=pattern.timing,
    )
    if previous is None or description == previous:
        return description
    version = origin.version + 1 if isinstance(origin.version, int) else 1
    return evolve(description, origin=evolve(origin, version=version))


def _line(
    media: Media,
    choice: Choice | None,
    local: Mapping[int, LocalMedia],
    session: Connection,
) -> Media:
    """
    @param session: the connection that lines inherit.
    """
    label = media.label if choice is None else choice.label
    labels: Attributes = (("label", label),) if label else ()
    if choice is None or not choice.accepted:
        # At least one format is needed even here; inactive is legal against any offer.
        return Media(
            media.kind,
            0,
            media.protocol,
            media.formats or ("0",),
            attributes=(("inactive", None), *labels),
        )
    place = local[choice.index]
    connection = Connection.to(place.host)
    return Media(
        media.kind,
        place.port,
        media.protocol,
        tuple(str(codec.payloadType) for codec in choice.codecs),
        connection=None if connection == session else connection,
        attributes=(
            *_codecAttributes(choice),
            (choice.direction, None),
            *labels,
            *(("crypto", line.value) for line in choice.crypto),
            *_controlAttributes(choice, place),
        ),
    )


def _codecAttributes(choice: Choice) -> Iterator[tuple[str, str | None]]:
    for codec in choice.codecs:
        yield ("rtpmap", codec.rtpmap)
        if codec.fmtp is not None:
            yield ("fmtp", f"{codec.payloadType} {codec.fmtp}")


def _controlAttributes(choice: Choice, place: LocalMedia) -> Iterator[tuple[str, str | None]]:
    if choice.rtcpMux:
        yield ("rtcp-mux", None)
    elif place.rtcpPort is not None and place.rtcpPort != place.port + 1:
        yield ("rtcp", str(place.rtcpPort))
