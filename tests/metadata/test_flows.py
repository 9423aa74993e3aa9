"""
The call flows of RFC 8068 and the examples of RFC 7865, merged in their order.

The flows are written again here with identifiers and times of our own; the
originals are read where the public test material is at hand.
"""

from datetime import UTC, datetime

from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.bind import bind
from siprec.metadata.merge import merge
from siprec.metadata.model import MetadataDocument
from siprec.metadata.parse import parseMetadata
from siprec.metadata.state import Interval, RecordingMetadata, StreamUse
from tests.metadata.calls import at, call
from tests.metadata.fixtures import folded, minute, original, partial, recording

_S = "hVpd7YQgRW2nD22h7q60JQ=="
_S2 = "bfLZ+NTFEeCNxQTuRyQBmw=="
_TURRET = "e6370VVGEeWAG6886p18uA=="
_ALICE = "srfBElmCRp2QB23b7Mpk0w=="
_BOB = "zSfPoSvdSDCmU3A3TRDxAw=="
_CAROL = "Atnm1ZRnOC6Pm5MApkrDzQ=="
_CAROL_TURRET = "EiXGlc+4TruqqoDaNE76ag=="
_A1, _A2 = "i1Pz3to5hGk8fuXl+PbwCw==", "UAAMm5GRQKSCMVvLyl4rFw=="
_B1, _B2 = "8zc6e0lYTlWIINA6GR+3ag==", "EiXGlc+4TruqqoDaNE76ag=="
_C1, _C2 = "60JAJm9UTvik0Ltlih/Gzw==", "AcR5FUd3Edi8cACQJy/3JQ=="
_2010 = datetime(2010, 12, 16, 23, 41, 7, tzinfo=UTC)
_2013 = datetime(2013, 12, 16, 23, 41, 7, tzinfo=UTC)


def example(number: int, rfc: int = 8068) -> MetadataDocument:
    """
    @return: an example of the RFC, parsed.
    """
    return parseMetadata(original("siprec", f"rfc{rfc}-ex-{number:02d}.xml"))


def examples(*numbers: int) -> list[RecordingMetadata]:
    """
    @return: the states after each of these examples of RFC 8068; each is applied
        twice, which must not show.
    """
    states = [RecordingMetadata()]
    for number, which in enumerate(numbers):
        document = example(which)
        assert document.status == "ok" and not document.notes, document.notes
        after = merge(states[-1], document, minute(number))
        assert merge(after, document, minute(number + 1000)) == after
        states.append(after)
    return states[1:]


def history(state: RecordingMetadata, participant: str) -> list[tuple[int, int, int | None]]:
    """
    @return: of each use: how many streams were sent and received, and the minute
        in which it ended.
    """
    return [
        (len(use.send), len(use.recv), None if use.closed is None else use.closed.minute)
        for use in state.uses[participant].uses
    ]


class RFC8068OriginalTests(SynchronousTestCase):
    """
    CONFORMANCE C, with the RFC's own documents.
    """

    def test_C_basicUnmixed(self) -> None:
        """
        Section 3.2.1: four streams, two of each party.
        """
        (state,) = examples(1)
        opened = (Interval(minute(0), _2010),)
        self.assertEqual(state.recordings[_S].intervals, opened)
        self.assertEqual(state.participations[_ALICE, _S].intervals, opened)
        self.assertEqual(state.participations[_BOB, _S].intervals, opened)
        bindings = bind(state, ["96", "97", "98", "99"])
        self.assertEqual([each.participantID for each in bindings], [_ALICE, _ALICE, _BOB, _BOB])
        self.assertEqual({each.confidence for each in bindings}, {"label"})

    def test_C_holdAndResume(self) -> None:
        """
        Section 3.2.2: on hold Alice sends nothing and Bob receives nothing; her
        m-lines stay hers.
        """
        _, held, resumed = examples(1, 2, 3)
        self.assertEqual(history(held, _ALICE), [(2, 2, 1), (0, 2, None)])
        self.assertEqual(history(held, _BOB), [(2, 2, 1), (2, 0, None)])
        self.assertEqual({each for each, _ in held.senders()}, {_B1, _B2})
        bindings = bind(held, ["96", "97", "98", "99"])
        self.assertEqual([each.participantID for each in bindings], [_ALICE, _ALICE, _BOB, _BOB])
        self.assertEqual(history(resumed, _ALICE), [(2, 2, 1), (0, 2, 2), (2, 2, None)])
        self.assertEqual(history(resumed, _BOB), [(2, 2, 1), (2, 0, 2), (2, 2, None)])

    def test_C_transferInSession(self) -> None:
        """
        Section 3.2.3: Alice leaves, Carol comes with two streams that are never
        described, which take the place of Alice's m-lines.
        """
        state = examples(1, 2, 3, 4)[-1]
        self.assertEqual(
            state.participations[_ALICE, _S].intervals,
            (Interval(minute(0), _2010, minute(3), _2013, "stated"),),
        )
        self.assertEqual(state.participations[_CAROL, _S].intervals, (Interval(minute(3), _2013),))
        self.assertEqual(
            state.uses[_CAROL].uses,
            (
                StreamUse(
                    (_C1, _C2),
                    (_B1, _B2),
                    minute(3),
                    datetime(2013, 12, 16, 23, 42, 7, tzinfo=UTC),
                ),
            ),
        )
        self.assertFalse(state.streams[_C1].defined or state.streams[_C2].defined)
        self.assertEqual(
            state.sessions[_S].sipSessionIDs,
            ("3363127f0d084c10876dddd4f8e5eeb9;remote=2272bb7e70fe41dba0025ae9a26d54cf",),
        )
        bindings = bind(state, ["96", "97", "98", "99"])
        self.assertEqual(
            [(each.participantID, each.confidence) for each in bindings],
            [(_CAROL, "order"), (_CAROL, "order"), (_BOB, "label"), (_BOB, "label")],
        )

    def test_C_transferByREFER(self) -> None:
        """
        Section 3.2.3: the first session stops, then a complete document brings
        the second one on the same recording session.
        """
        *_, stopped, second = examples(1, 2, 3, 4, 5, 6)
        self.assertEqual(stopped.sessions[_S].stopTime, _2010)
        for participant in (_BOB, _CAROL):
            (interval,) = stopped.participations[participant, _S].intervals
            self.assertEqual((interval.closed, interval.end), (minute(4), _2010))
        self.assertEqual(list(stopped.senders()), [])
        self.assertEqual({stream.cause for stream in stopped.streams.values()}, {"session-stopped"})
        self.assertIsNone(second.sessions[_S2].closed)
        self.assertEqual(
            second.participations[_BOB, _S2].intervals,
            (Interval(minute(5), datetime(2010, 12, 16, 23, 32, 3, tzinfo=UTC)),),
        )
        self.assertEqual(
            second.participations[_CAROL, _S2].intervals, (Interval(minute(5), _2010),)
        )
        bindings = bind(second, ["96", "97", "98", "99"])
        self.assertEqual(
            [(each.streamID, each.participantID) for each in bindings],
            [(_C1, _CAROL), (_C2, _CAROL), (_B1, _BOB), (_B2, _BOB)],
        )
        self.assertEqual({each.confidence for each in bindings}, {"label"})

    def test_C_disconnect(self) -> None:
        """
        Section 3.2.4: the BYE's document is about the first session, which is
        over; nothing changes any more there, and the second goes on.
        """
        *_, before, after = examples(1, 2, 3, 4, 5, 6, 7)
        self.assertEqual(after, before)

    def test_C_disconnectOfFirstSession(self) -> None:
        """
        Section 3.2.4 after section 3.2.1: everybody leaves, all streams are idle,
        and the recording of the session has ended.
        """
        state = examples(1, 7)[-1]
        for participant in (_ALICE, _BOB):
            self.assertEqual(
                state.participations[participant, _S].intervals,
                (Interval(minute(0), _2010, minute(1), _2010, "stated"),),
            )
        self.assertEqual(
            state.recordings[_S].intervals,
            (Interval(minute(0), _2010, minute(1), _2010, "session-stopped"),),
        )
        self.assertEqual([use[2] for use in history(state, _ALICE)], [1])

    def test_C_mixedConference(self) -> None:
        """
        Sections 3.3.1 to 3.3.4: one mixed stream; hold, resume, join, drop, end.
        """
        first, held, resumed, joined, dropped, ended = examples(8, 9, 10, 11, 12, 7)
        (binding,) = bind(first, ["96"])
        self.assertEqual(binding.senders, (_ALICE, _BOB))
        self.assertEqual(dict(held.senders()), {_A1: _BOB})
        self.assertEqual(history(resumed, _ALICE), [(1, 1, 1), (0, 1, 2), (1, 1, None)])
        self.assertEqual(len(joined.sessions[_S].sipSessionIDs), 3)
        self.assertEqual(joined.participations[_CAROL, _S].intervals, (Interval(minute(3), _2013),))
        self.assertEqual(
            [participant for _, participant in joined.senders()], [_ALICE, _BOB, _CAROL]
        )
        self.assertEqual(len(dropped.sessions[_S].sipSessionIDs), 2)
        self.assertEqual(
            dropped.participations[_ALICE, _S].intervals,
            (Interval(minute(0), _2010, minute(4), _2010, "stated"),),
        )
        self.assertEqual([participant for _, participant in dropped.senders()], [_BOB, _CAROL])
        (binding,) = bind(dropped, ["96"])
        self.assertEqual(binding.senders, (_BOB, _CAROL))
        self.assertEqual(
            ended.participations[_CAROL, _S].intervals,
            (Interval(minute(3), _2013, minute(5), _2010, "session-stopped"),),
        )

    def test_C_persistentRecordingSession(self) -> None:
        """
        Section 3.4.1: the session stops, and nothing says that the recording
        session does.
        """
        state = examples(1, 13)[-1]
        self.assertEqual(state.sessions[_S].closed, minute(1))
        self.assertEqual(list(state.senders()), [])
        bindings = bind(state, ["96", "97", "98", "99"])
        self.assertEqual({each.confidence for each in bindings}, {"label"})

    def test_C_turret(self) -> None:
        """
        Section 3.5: two sessions on one stream; Bob is in both, from different
        times on.
        """
        (state,) = examples(14)
        later = datetime(2010, 12, 16, 23, 43, 7, tzinfo=UTC)
        self.assertEqual(
            {pair: each.intervals for pair, each in state.participations.items()},
            {
                (_ALICE, _S): (Interval(minute(0), _2010),),
                (_BOB, _S): (Interval(minute(0), _2010),),
                (_BOB, _TURRET): (Interval(minute(0), later),),
                (_CAROL_TURRET, _TURRET): (Interval(minute(0), later),),
            },
        )
        (binding,) = bind(state, ["96"])
        self.assertEqual(binding.senders, (_ALICE, _BOB, _CAROL_TURRET))

    def test_RFC7865examples(self) -> None:
        """
        RFC 7865 sections 8.1 and 8.2, and the request of section 7: Bob leaves
        and stays known.
        """
        documents = [example(number, 7865) for number in (2, 3, 1)]
        self.assertEqual([each.status for each in documents], ["ok"] * 3)
        self.assertEqual(documents[2].requestReason, ("SRS internal error", "it"))
        state = folded(*documents)
        self.assertEqual(
            state.participations[_ALICE, _S].intervals,
            (Interval(minute(0), _2010, minute(1), _2010, "stated"),),
        )
        self.assertEqual(state.participations[_BOB, _S].intervals, (Interval(minute(0), _2010),))
        self.assertEqual(state.participants[_ALICE].names[0].aor, "sip:bob@biloxi.com")
        extensions = [each.name for each in state.groups["7+OTCyoxTmqmqyA/1weDAg=="].extensions]
        self.assertEqual(extensions, ["call-center", "mydata"])


class OwnFlowTests(SynchronousTestCase):
    """
    The same flows with documents of our own.
    """

    def test_C_transferKeepsTheLine(self) -> None:
        """
        The new party's stream is only referred to: it takes over the m-line of
        the party that left, as the only one left.
        """
        transfer = partial(
            '<participant participant_id="PC"><nameID aor="sip:C@x"/></participant>'
            '<participantsessionassoc participant_id="PC" session_id="S">'
            f"<associate-time>{at(1)}</associate-time></participantsessionassoc>"
            '<participantsessionassoc participant_id="PA" session_id="S">'
            f"<disassociate-time>{at(1)}</disassociate-time></participantsessionassoc>"
            '<participantstreamassoc participant_id="PC"><send>TC</send>'
            "</participantstreamassoc>"
        )
        bindings = bind(folded(call("A", "B"), transfer), ["0", "1"])
        self.assertEqual(
            [(each.participantID, each.confidence) for each in bindings],
            [("PC", "elimination"), ("PB", "label")],
        )

    def test_C_joinAndDrop(self) -> None:
        """
        A party that leaves and comes back has two intervals.
        """
        assoc = '<participantsessionassoc participant_id="PA" session_id="S">{}'
        assoc += "</participantsessionassoc>"
        left = partial(assoc.format(f"<disassociate-time>{at(1)}</disassociate-time>"))
        back = partial(assoc.format(f"<associate-time>{at(2)}</associate-time>"))
        state = folded(call("A", "B"), left, back)
        self.assertEqual(
            state.participations["PA", "S"].intervals,
            (
                Interval(minute(0), minute(0), minute(1), minute(1), "stated"),
                Interval(minute(2), minute(2)),
            ),
        )
        self.assertEqual(dict(state.senders()), {"TA": "PA", "TB": "PB"})

    def test_C_snapshotAfterTransfer(self) -> None:
        """
        A complete document with another session ends the one before.
        """
        second = recording('<session session_id="S2"/>')
        state = folded(call("A", "B"), second)
        self.assertEqual(state.sessions["S"].cause, "absent-in-snapshot")
        self.assertEqual(state.sessions["S"].closed, minute(1))
        self.assertIsNone(state.sessions["S"].stopTime)
        self.assertIsNone(state.sessions["S2"].closed)
        for pair in (("PA", "S"), ("PB", "S")):
            self.assertEqual(
                state.participations[pair].intervals,
                (Interval(minute(0), minute(0), minute(1), None, "absent-in-snapshot"),),
            )
        self.assertEqual(list(state.senders()), [])

    def test_J6_repeatedDocument(self) -> None:
        """
        A re-INVITE that repeats the whole document changes nothing.
        """
        document = call("A", "B")
        self.assertEqual(folded(document, document, document), folded(document))

    def test_J9_useDroppedAtHold(self) -> None:
        """
        Hold may drop C{recv} of one party and C{send} of the other, or all of it
        (RFC 7865 section 6.8.1: neither sends nor receives).
        """
        held = partial('<participantstreamassoc participant_id="PA"/>')
        state = folded(call("A", "B"), held)
        self.assertEqual(dict(state.senders()), {"TB": "PB"})
        bindings = bind(state, ["0", "1"])
        self.assertEqual([each.participantID for each in bindings], ["PA", "PB"])
