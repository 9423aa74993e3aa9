"""
Tests of L{siprec.metadata.bind}.
"""

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.bind import Binding, bind
from siprec.metadata.state import RecordingMetadata
from tests.metadata.fixtures import TWO_PARTIES, folded, partial, recording

_TWO = recording(TWO_PARTIES)


def people(
    letters: str, labels: Sequence[str | None], sending: bool = True, parties: str = ""
) -> RecordingMetadata:
    """
    @param letters: one for each stream, also the name of its sender.
    @param labels: of the streams.
    @param parties: more participants, who send nothing.
    """
    parts = [f'<participant participant_id="P{letter}"/>' for letter in letters + parties]
    parts.append('<session session_id="S"/>')
    for letter, label in zip(letters, labels, strict=True):
        text = "" if label is None else f"<label>{label}</label>"
        parts.append(f'<stream stream_id="T{letter}" session_id="S">{text}</stream>')
        if sending:
            parts.append(
                f'<participantstreamassoc participant_id="P{letter}"><send>T{letter}</send>'
                "</participantstreamassoc>"
            )
    return folded(recording("".join(parts)))


def short(bindings: Sequence[Binding]) -> list[tuple[str | None, str | None, str]]:
    """
    @return: stream, participant and confidence of each m-line.
    """
    return [(each.streamID, each.participantID, each.confidence) for each in bindings]


class BindTests(SynchronousTestCase):
    """
    CONFORMANCE A14 and J5.
    """

    def test_A14_label(self) -> None:
        """
        By label, in whatever order the m-lines and the streams are.
        """
        self.assertEqual(
            bind(people("AB", ["1", "2"]), ["2", "1"]),
            (
                Binding(0, "2", "TB", "PB", "label", ("PB",)),
                Binding(1, "1", "TA", "PA", "label", ("PA",)),
            ),
        )

    def test_A14_order(self) -> None:
        """
        Without labels on one side or both, by order, if there are as many m-lines
        as streams.
        """
        expected = [("TA", "PA", "order"), ("TB", "PB", "order")]
        self.assertEqual(short(bind(people("AB", [None, None]), [None, None])), expected)
        self.assertEqual(short(bind(people("AB", ["1", "2"]), [None, None])), expected)
        self.assertEqual(short(bind(people("AB", [None, None]), ["1", "2"])), expected)
        self.assertEqual(short(bind(people("AB", ["1", "2"]), ["x", "y"])), expected)

    def test_A14_single(self) -> None:
        """
        One m-line and one stream belong together.
        """
        self.assertEqual(short(bind(people("A", [None]), ["1"])), [("TA", "PA", "order")])

    def test_A14_elimination(self) -> None:
        """
        The only ones left over belong together.
        """
        self.assertEqual(
            short(bind(people("ABC", ["1", None, "3"]), ["1", "2", "3"])),
            [("TA", "PA", "label"), ("TB", "PB", "elimination"), ("TC", "PC", "label")],
        )

    def test_A14_duplicateLabels(self) -> None:
        """
        Labels that come twice do not identify anything; the others do.
        """
        self.assertEqual(
            short(bind(people("ABC", ["1", "1", "3"]), ["1", "1", "3"])),
            [("TA", "PA", "order"), ("TB", "PB", "order"), ("TC", "PC", "label")],
        )
        self.assertEqual(
            short(bind(people("AB", ["1", "2"]), ["1", "1"])),
            [("TA", "PA", "order"), ("TB", "PB", "order")],
        )

    def test_A14_none(self) -> None:
        """
        Where nothing tells, nothing is claimed.
        """
        self.assertEqual(
            short(bind(people("AB", [None, None]), [None, None, None])),
            [(None, None, "none")] * 3,
        )
        self.assertEqual(bind(RecordingMetadata(), ["1", None]), (Binding(0, "1"), Binding(1)))
        self.assertEqual(bind(people("A", ["1"]), []), ())

    def test_A14_participantsByOrder(self) -> None:
        """
        Where nobody is said to send, as many participants as m-lines are taken in
        order; a single one of several m-lines by elimination.
        """
        self.assertEqual(
            short(bind(people("AB", ["1", "2"], sending=False), ["1", "2"])),
            [("TA", "PA", "order"), ("TB", "PB", "order")],
        )
        self.assertEqual(short(bind(people("", [], parties="A"), [None])), [(None, "PA", "order")])

    def test_A14_participantByElimination(self) -> None:
        """
        The only participant without a stream sends the only m-line without a
        sender.
        """
        state = folded(
            recording(
                '<session session_id="S"/><participant participant_id="PA"/>'
                '<participant participant_id="PB"/><stream stream_id="TA"><label>1</label></stream>'
                '<stream stream_id="TB"><label>2</label></stream>'
                '<participantstreamassoc participant_id="PA"><send>TA</send>'
                "</participantstreamassoc>"
            )
        )
        self.assertEqual(
            short(bind(state, ["1", "2"])), [("TA", "PA", "label"), ("TB", "PB", "elimination")]
        )

    def test_A14_listenersAreNoSenders(self) -> None:
        """
        Several who send nothing, beside others who do, are listeners.
        """
        state = people("A", ["1"], parties="BC")
        self.assertEqual(
            short(bind(state, ["1", None, None])),
            [("TA", "PA", "label"), (None, None, "none"), (None, None, "none")],
        )

    def test_A56_mixed(self) -> None:
        """
        A stream that several send has all of them as senders and no speaker.
        """
        state = folded(
            recording(
                '<stream stream_id="T"><label>1</label></stream>'
                '<participantstreamassoc participant_id="P"><send>T</send>'
                '</participantstreamassoc><participantstreamassoc participant_id="Q">'
                "<send>T</send></participantstreamassoc>"
            )
        )
        self.assertEqual(bind(state, ["1"]), (Binding(0, "1", "T", None, "label", ("P", "Q")),))

    def test_J9_hold(self) -> None:
        """
        On hold the m-line keeps whom it had last.
        """
        held = partial(
            '<participantstreamassoc participant_id="PA=="/>'
            '<participantstreamassoc participant_id="PB=="/>'
        )
        self.assertEqual(
            short(bind(folded(_TWO, held), ["1", "2"])),
            [("TA==", "PA==", "label"), ("TB==", "PB==", "label")],
        )

    def test_lastSenders(self) -> None:
        """
        That is who sent it in the newest period, not everybody ever.
        """
        documents = [
            partial(
                f'<participantstreamassoc participant_id="{one}"><send>TA==</send>'
                f'</participantstreamassoc><participantstreamassoc participant_id="{other}"/>'
            )
            for one, other in (("PB==", "PA=="), ("PA==", "PB=="))
        ]
        silent = partial(
            '<participantstreamassoc participant_id="PA=="/>'
            '<participantstreamassoc participant_id="PB=="/>'
        )
        (binding, _) = bind(folded(_TWO, *documents, silent), ["1", "2"])
        self.assertEqual(binding.senders, ("PA==",))
        (binding, _) = bind(folded(_TWO, documents[0], silent), ["1", "2"])
        self.assertEqual(binding.senders, ("PB==",))

    def test_afterTheEnd(self) -> None:
        """
        After the session has stopped its streams are still the ones.
        """
        stop = partial(
            '<session session_id="S1=="><stop-time>2026-01-05T09:01:00Z</stop-time></session>'
        )
        self.assertEqual(
            short(bind(folded(_TWO, stop), ["1", "2"])),
            [("TA==", "PA==", "label"), ("TB==", "PB==", "label")],
        )

    def test_A16_labelOfNewStream(self) -> None:
        """
        A label belongs to the stream that claimed it last.
        """
        new = partial(
            '<stream stream_id="TC==" session_id="S1=="><label>1</label></stream>'
            '<participantstreamassoc participant_id="PC=="><send>TC==</send>'
            "</participantstreamassoc>"
        )
        self.assertEqual(short(bind(folded(_TWO, new), ["1", "2"]))[0], ("TC==", "PC==", "label"))
