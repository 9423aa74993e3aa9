"""
The parsers that are fuzzed, each with what is done with its results.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from attrs import evolve

from siprec.metadata.bind import bind
from siprec.metadata.merge import merge
from siprec.metadata.parse import parseMetadata
from siprec.metadata.state import RecordingMetadata
from siprec.metadata.storing import toDict
from siprec.metadata.vendor import vendorFields
from siprec.sdp.answer import LocalMedia, makeAnswer
from siprec.sdp.choice import Policy, choose
from siprec.sdp.crypto import ownLines, withOwnKeys
from siprec.sdp.parse import BadSDP, parseSDP
from siprec.sip.dialog import Dialog
from siprec.sip.digest import ALGORITHMS, parseCredentials
from siprec.sip.errors import BadHeader, BadMessage, BadURI
from siprec.sip.flow import Flow
from siprec.sip.framing import StreamFramer, parseDatagram
from siprec.sip.headers import Headers, parseContact, parseCSeq, parseNameAddr, parseVia
from siprec.sip.matching import replyAddress, serverKey, stamped
from siprec.sip.message import Request, makeResponse
from siprec.sip.multipart import BadMultipart, leaves, parseBody
from siprec.sip.nonces import Nonces
from siprec.sip.replaces import parseReplaces
from siprec.sip.sessiontimer import TimerSettings, negotiate
from siprec.sip.stun import BadStun, answerTo, isStun
from siprec.sip.uri import parseURI
from siprec.uas.admission import checkAccept, checkHeaders, checkMethod, recognise
from siprec.uas.bodies import BadBody, readBodies, readLeniently
from siprec.uas.replacing import checkReplaces, replacesOf

_FLOW = Flow("UDP", ("192.0.2.9", 5060), ("192.0.2.7", 5060))
_NONCES = Nonces(b"key", lambda: 1_800_000_000.0)
_NOW = datetime(2026, 1, 5, tzinfo=UTC)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def message(data: bytes) -> None:
    """
    A datagram, through to what a recorder does with its headers.
    """
    try:
        found = parseDatagram(data)
    except BadMessage as error:
        if error.request is not None:
            makeResponse(error.request, error.status or 400, toTag="t").serialize()
        return
    if found is None:
        return
    found.serialize()
    if not isinstance(found, Request):
        return
    request = stamped(found, _FLOW)
    serverKey(found)
    replyAddress(request.via, _FLOW)
    negotiate(request, TimerSettings())
    if checkMethod(request) or checkHeaders(request) or checkReplaces(request):
        return
    replacesOf(request)
    checkAccept(request)
    bodies = readLeniently(request.headers, request.body)
    recognise(request, bodies, "lenient")
    dialog = Dialog.fromInvite(request, "t", "<sip:192.0.2.9>;+sip.srs")
    dialog.response(request, 200).serialize()
    dialog.request("BYE")[1].serialize()


def stream(data: bytes) -> None:
    """
    A stream, in two pieces.
    """
    framer = StreamFramer()
    framer.feed(data[: len(data) // 2])
    framer.feed(data[len(data) // 2 :])


def uri(data: bytes) -> None:
    """
    A URI.
    """
    try:
        found = parseURI(_text(data))
    except BadURI:
        return
    again = parseURI(str(found))
    assert str(again) == str(found), (found, again)


def header(data: bytes) -> None:
    """
    Via, an address, a Contact and a CSeq.
    """
    text = _text(data)
    for parse in (parseVia, parseNameAddr, parseContact, parseCSeq):
        try:
            found = parse(text)
        except (BadHeader, BadURI):
            continue
        str(found)
    try:
        parseVia(text, lenient=True)
    except BadHeader:
        return


def sdp(data: bytes) -> None:
    """
    A description, through to our answer.
    """
    try:
        found = parseSDP(data)
    except BadSDP:
        return
    choices = tuple(
        evolve(each, crypto=withOwnKeys(each.crypto, None)) for each in choose(found, Policy())
    )
    places = {each.index: LocalMedia("192.0.2.9", 10000 + 2 * each.index) for each in choices}
    answer = makeAnswer(found, choices, places, 1)
    assert len(answer.media) == len(found.media)
    again = parseSDP(answer.serialize())
    for media in again.media:
        ownLines(media)
    found.irregularities(answer)


def multipart(data: bytes) -> None:
    """
    The first line is the Content-Type, the rest the body.
    """
    kind, _, body = data.partition(b"\n")
    try:
        headers = Headers([("Content-Type", _text(kind).strip() or "multipart/mixed")])
    except ValueError:
        return
    with suppress(BadMultipart):
        leaves(parseBody(headers, body))
    try:
        readBodies(headers, body)
    except BadBody:
        return


def xml(data: bytes) -> None:
    """
    A metadata document, through to who is heard where.
    """
    document = parseMetadata(data)
    state = merge(RecordingMetadata(), document, _NOW)
    state = merge(state, document, _NOW)
    bind(state, ["1", "2"])
    toDict(state)
    vendorFields([], [document], ())


def stun(data: bytes) -> None:
    """
    STUN on the SIP port.
    """
    if isStun(data):
        with suppress(BadStun):
            answerTo(data, "192.0.2.7", 5060)


def credentials(data: bytes) -> None:
    """
    Authorization and Replaces.
    """
    text = _text(data)
    parseReplaces(text)
    with suppress(BadHeader):
        found = parseCredentials(text)
        _NONCES.age(found.nonce)
        if found.algorithm in ALGORITHMS:
            found.expected("0" * 64, "INVITE")


#: By the names of their folders in the corpus.
PARSERS: dict[str, Callable[[bytes], None]] = {
    "credentials": credentials,
    "header": header,
    "message": message,
    "multipart": multipart,
    "sdp": sdp,
    "stream": stream,
    "stun": stun,
    "uri": uri,
    "xml": xml,
}
