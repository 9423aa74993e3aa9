"""
Documents of short calls, whose people and streams are called by one letter.
"""

from siprec.metadata.model import MetadataDocument
from tests.metadata.fixtures import minute, partial, recording

__all__ = ["at", "call", "hold", "stop", "transfer"]


def at(number: int) -> str:
    """
    @return: the time of this minute, as a document has it.
    """
    return minute(number).strftime("%Y-%m-%dT%H:%M:%SZ")


def call(*letters: str, session: str = "S", mixed: bool = False) -> MetadataDocument:
    """
    @param mixed: all send the stream of the first.
    @return: a complete document: one session with a participant C{P...} and a stream
        C{T...} for each letter, labelled from C{0} on.
    """
    parts = [f'<session session_id="{session}"><start-time>{at(0)}</start-time></session>']
    for index, letter in enumerate(letters):
        own = letters[0] if mixed else letter
        if own == letter:
            stream = f'<stream stream_id="T{letter}" session_id="{session}">'
            parts.append(f"{stream}<label>{index}</label></stream>")
        parts.append(_person(letter, session, own))
    return recording("".join(parts))


def _person(letter: str, session: str, stream: str) -> str:
    return (
        f'<participant participant_id="P{letter}"><nameID aor="sip:{letter}@x"/></participant>'
        f'<participantsessionassoc participant_id="P{letter}" session_id="{session}">'
        f"<associate-time>{at(0)}</associate-time></participantsessionassoc>"
        f'<participantstreamassoc participant_id="P{letter}"><send>T{stream}</send>'
        "</participantstreamassoc>"
    )


def hold(letter: str) -> MetadataDocument:
    """
    @return: somebody sends and receives nothing (RFC 7865 section 6.8.1).
    """
    return partial(f'<participantstreamassoc participant_id="P{letter}"/>')


def transfer(old: str, new: str, minutes: int = 1) -> MetadataDocument:
    """
    @return: one leaves the session and another comes, whose stream is only referred to
        (RFC 8068 section 3.2.3).
    """
    return partial(
        f'<participant participant_id="P{new}"><nameID aor="sip:{new}@x"/></participant>'
        f'<participantsessionassoc participant_id="P{new}" session_id="S">'
        f"<associate-time>{at(minutes)}</associate-time></participantsessionassoc>"
        f'<participantsessionassoc participant_id="P{old}" session_id="S">'
        f"<disassociate-time>{at(minutes)}</disassociate-time></participantsessionassoc>"
        f'<participantstreamassoc participant_id="P{new}"><send>T{new}</send>'
        "</participantstreamassoc>"
    )


def stop(session: str = "S", reason: str = "") -> MetadataDocument:
    """
    @return: the session is over.
    """
    return partial(
        f'<session session_id="{session}">{reason}<stop-time>{at(2)}</stop-time></session>'
    )
