"""
Tests of L{siprec.metadata.changes}.
"""

from typing import Any

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.changes import changes
from siprec.metadata.merge import merge
from siprec.metadata.model import MetadataDocument
from siprec.metadata.parse import parseMetadata
from siprec.metadata.state import RecordingMetadata
from tests.metadata.calls import call, hold, stop, transfer
from tests.metadata.documents import documents
from tests.metadata.fixtures import PROPERTY, folded, minute, original, partial


class ChangeTests(SynchronousTestCase):
    """
    What a document says happened.
    """

    def told(self, *before: MetadataDocument) -> list[tuple[str, Any]]:
        """
        @return: types and facts of what the last document changed, without the client's
            own times; the only fact where there is one.
        """
        *earlier, last = before
        state = folded(*earlier)
        after = merge(state, last, minute(len(earlier)))
        found: list[tuple[str, Any]] = []
        for each in changes(state, after):
            facts = {name: value for name, value in each.facts.items() if name != "stated"}
            found.append((each.type, facts if len(facts) > 1 else next(iter(facts.values()))))
        return found

    def test_stated(self) -> None:
        """
        What the client states of the begin and the end of a session is told too.
        """
        before = folded(call("A"))
        begun = next(changes(RecordingMetadata(), before))
        self.assertEqual(begun.facts["stated"], "2026-01-05T09:00:00+00:00")
        *_, ended = changes(before, merge(before, stop(), minute(1)))
        self.assertEqual(ended.facts["stated"], "2026-01-05T09:02:00+00:00")

    def test_begin(self) -> None:
        """
        The first document begins a session, which its participants join.
        """
        self.assertEqual(
            self.told(call("A", "B")),
            [("sessionStarted", "S"), ("participantJoined", "PA"), ("participantJoined", "PB")],
        )

    def test_joinAndLeave(self) -> None:
        """
        One may come, or go, alone.
        """
        assoc = '<participantsessionassoc participant_id="PB" session_id="S">{}'
        assoc += "</participantsessionassoc>"
        leave = partial(assoc.format("<disassociate-time>2026-01-05T09:01:00Z</disassociate-time>"))
        back = partial(assoc.format("<associate-time>2026-01-05T09:02:00Z</associate-time>"))
        self.assertEqual(self.told(call("A", "B"), leave), [("participantLeft", "PB")])
        self.assertEqual(self.told(call("A", "B"), leave, back), [("participantJoined", "PB")])

    def test_holdAndResume(self) -> None:
        """
        Who sends nothing any more is on hold, until something is sent again (RFC 8068
        section 3.2.2).
        """
        again = partial(
            '<participantstreamassoc participant_id="PA"><send>TA</send></participantstreamassoc>'
        )
        self.assertEqual(self.told(call("A", "B"), hold("A")), [("participantHeld", "PA")])
        self.assertEqual(
            self.told(call("A", "B"), hold("A"), again), [("participantResumed", "PA")]
        )

    def test_listener(self) -> None:
        """
        Who had never sent anything is not resumed, but begins.
        """
        speaks = partial(
            '<participantstreamassoc participant_id="PB"><send>TA</send></participantstreamassoc>'
        )
        listens = partial('<participantstreamassoc participant_id="PB"/>')
        first = partial(
            '<participant participant_id="PB"><nameID aor="sip:b@x"/></participant>'
            '<participantsessionassoc participant_id="PB" session_id="S"/>'
        )
        self.assertEqual(self.told(call("A"), first, listens, speaks), [])

    def test_transfer(self) -> None:
        """
        Somebody goes and somebody else comes in one document.
        """
        self.assertEqual(
            self.told(call("A", "B"), transfer("A", "C")),
            [
                ("callTransferred", {"from": ["PA"], "to": ["PC"]}),
                ("participantLeft", "PA"),
                ("participantJoined", "PC"),
            ],
        )

    def test_transferByREFER(self) -> None:
        """
        Or the session ends, and another one begins with one of its people and somebody
        else (RFC 8068 section 3.2.3).
        """
        told = self.told(call("A", "B"), stop(), call("B", "C", session="S2"))
        self.assertEqual(
            told,
            [
                ("sessionStarted", "S2"),
                ("callTransferred", {"from": ["PA"], "to": ["PC"]}),
                ("participantJoined", "PB"),
                ("participantJoined", "PC"),
            ],
        )

    def test_nextCall(self) -> None:
        """
        Another session of other people is no transfer.
        """
        told = self.told(call("A", "B"), stop(), call("C", "D", session="S2"))
        self.assertNotIn("callTransferred", [type for type, _ in told])

    def test_end(self) -> None:
        """
        A session that is stopped is left by all, and says why.
        """
        reason = '<reason cause="200" protocol="SIP">done</reason>'
        self.assertEqual(
            self.told(call("A", "B"), stop(reason=reason)),
            [
                ("participantLeft", "PA"),
                ("participantLeft", "PB"),
                ("sessionEnded", {"session": "S", "reason": "SIP 200 done"}),
            ],
        )
        self.assertEqual(self.told(call("A"), stop())[-1], ("sessionEnded", "S"))
        reason = "<reason>done</reason>"
        last = self.told(call("A"), stop(reason=reason))[-1]
        self.assertEqual(last, ("sessionEnded", {"session": "S", "reason": "done"}))

    def test_noAssociations(self) -> None:
        """
        Where nobody is said to be in a session, the streams tell who is there.
        """
        person = (
            '<participant participant_id="P{0}"><nameID aor="sip:{0}@x"/></participant>'
            '<participantstreamassoc participant_id="P{0}"><send>T</send></participantstreamassoc>'
        )
        complete = '<recording xmlns="urn:ietf:params:xml:ns:recording:1">{}</recording>'
        first, second = (
            parseMetadata(complete.format(person.format(each)).encode()) for each in "AB"
        )
        self.assertEqual(
            [type for type, _ in self.told(first, second)],
            ["callTransferred", "participantLeft", "participantJoined"],
        )

    def test_C_originals(self) -> None:
        """
        The flow of RFC 8068 section 3.2: hold, resume, transfer within the session, end.
        """
        flow = [
            parseMetadata(original("siprec", f"rfc8068-ex-0{number}.xml"))
            for number in (1, 2, 3, 4, 7)
        ]
        types = [[type for type, _ in self.told(*flow[:count])] for count in range(2, 6)]
        self.assertEqual(types[0], ["participantHeld"])
        self.assertEqual(types[1], ["participantResumed"])
        self.assertEqual(types[2][0], "callTransferred")
        self.assertEqual(types[3][-1], "sessionEnded")

    @PROPERTY
    @given(documents)
    def test_B2_10_again(self, document: MetadataDocument) -> None:
        """
        A document that is applied again tells nothing.
        """
        state = merge(RecordingMetadata(), document, minute(0))
        after = merge(state, document, minute(1))
        self.assertEqual(list(changes(state, after)), [])
