"""
What holds for all messages, whatever a peer sends.
"""

from time import process_time

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.errors import BadMessage
from siprec.sip.headers import Headers
from siprec.sip.message import Request, makeResponse, parseMessage
from tests.sip.vectors import PROPERTY, SDP, message


class PropertyTests(SynchronousTestCase):
    """
    L{parseMessage}, C{serialize} and L{makeResponse}.
    """

    names = st.text(alphabet="abcXYZ-.!%*_+`'~019", min_size=2, max_size=12)
    values = st.text(
        alphabet=st.one_of(st.characters(codec="utf-8"), st.sampled_from('\udc80\udcff,;<"\\ \t')),
        max_size=30,
    ).map(lambda text: "".join(c for c in text if c not in "\r\n").strip(" \t"))
    fields = st.lists(st.tuples(names.map("X-{}".format), values), max_size=5)

    @PROPERTY
    @given(fields, fields, st.binary(max_size=60))
    def test_identity(
        self, before: list[tuple[str, str]], after: list[tuple[str, str]], body: bytes
    ) -> None:
        """
        What was serialised is parsed to the same message, byte for byte.
        """
        base = parseMessage(message())
        assert isinstance(base, Request)
        sent = evolve(
            base,
            headers=Headers([*before, *base.headers, *after]).replacing(
                "Content-Length", str(len(body))
            ),
            body=body,
        )
        self.assertEqual(parseMessage(sent.serialize()), sent)
        answer = makeResponse(base, 200, toTag="x", headers=after, body=body)
        parsed = parseMessage(answer.serialize())
        self.assertEqual(parsed.serialize(), answer.serialize())

    def test_everyPrefix(self) -> None:
        """
        A message that is cut anywhere raises L{BadMessage} or, cut within its
        body, is a message; whatever was made out can be answered.
        """
        whole = message(more="Subject: \u00e9\r\n folded\r\n", body=SDP)
        end = whole.index(b"\r\n\r\n") + 4
        for length in range(len(whole)):
            try:
                self.assertEqual(parseMessage(whole[:length]).body, whole[end:length])
                self.assertGreaterEqual(length, end)
            except BadMessage as error:
                if error.request is not None:
                    makeResponse(error.request, error.status or 0, toTag="x").serialize()

    @PROPERTY
    @given(st.data())
    def test_damage(self, data: st.DataObject) -> None:
        """
        Whatever bytes are damaged, nothing but L{BadMessage} comes out, and
        what passed has all that transactions need.
        """
        whole = bytearray(message(body=SDP))
        for _ in range(data.draw(st.integers(1, 4))):
            position = data.draw(st.integers(0, len(whole) - 1))
            whole[position : position + data.draw(st.integers(0, 2))] = data.draw(
                st.binary(max_size=2) | st.sampled_from([b"\r\n", b"\r\n ", b";", b",", b'"', b"<"])
            )
        try:
            found = parseMessage(bytes(whole))
        except BadMessage as error:
            if error.request is not None:
                answer = makeResponse(error.request, 400, toTag="x")
                self.assertEqual(answer.via, error.request.via)
                answer.serialize()
            return
        _ = (found.via, found.vias, found.cseq, found.callID, found.fromTag, found.toTag)
        self.assertEqual(parseMessage(found.serialize()).headers.get("v"), found.headers.get("v"))

    def test_linear(self) -> None:
        """
        64 KiB of the worst text cost milliseconds, not minutes: no pattern
        backtracks.
        """
        started = process_time()
        for unit in ('"', '\\"', "<", ";", " ", ",", ',"', ";a=", "\r\n ", '";', "%", "@", "SIP/"):
            text = (unit * 65536)[:65536]
            for name in ("Via", "From", "Contact", "CSeq", "Content-Type", "Content-Length", "X"):
                for start in ("", "SIP/2.0/UDP h;", "<sip:h>", '"', "a;b="):
                    try:
                        _ = parseMessage(message(fields={name: start + text})).contentType
                    except BadMessage:
                        continue
        self.assertLess(process_time() - started, 30)
