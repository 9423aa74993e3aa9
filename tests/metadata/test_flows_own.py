"""
The call flows of RFC 8068 with documents of our own, each merged in its order and the
intervals asserted; the RFC's own documents are in L{tests.metadata.test_flows}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.bind import bind
from siprec.metadata.merge import merge
from siprec.metadata.model import MetadataDocument
from siprec.metadata.state import Interval, RecordingMetadata
from tests.metadata.calls import at, call, hold, stop, transfer
from tests.metadata.fixtures import folded, minute, partial, recording

RESUME = partial(
    '<participantstreamassoc participant_id="PA"><send>TA</send></participantstreamassoc>'
)


def ids(state: RecordingMetadata, participant: str) -> list[tuple[int, int | None, str]]:
    """
    @return: of each time in session S: the minutes in which it was told to begin and to
        end, and why it ended.
    """
    return [
        (each.seen.minute, each.closed.minute if each.closed else None, each.cause)
        for each in state.participations[participant, "S"].intervals
    ]


def sent(state: RecordingMetadata, participant: str) -> list[tuple[tuple[str, ...], int | None]]:
    """
    @return: what was sent, and the minute in which that ended.
    """
    return [
        (use.send, use.closed.minute if use.closed else None)
        for use in state.uses[participant].uses
    ]


class FlowTests(SynchronousTestCase):
    """
    CONFORMANCE C.
    """

    def states(self, *flow: MetadataDocument) -> list[RecordingMetadata]:
        """
        @return: the state after each document, a minute apart; each is applied twice,
            which must not show.
        """
        states = [RecordingMetadata()]
        for number, document in enumerate(flow):
            self.assertEqual(document.status, "ok")
            after = merge(states[-1], document, minute(number))
            self.assertEqual(merge(after, document, minute(number + 30)), after)
            states.append(after)
        return states[1:]

    def test_C_321_basic(self) -> None:
        """
        Two parties, each with their stream.
        """
        (state,) = self.states(call("A", "B"))
        self.assertEqual(ids(state, "PA"), [(0, None, "")])
        self.assertEqual(
            state.participations["PB", "S"].intervals, (Interval(minute(0), minute(0)),)
        )
        self.assertEqual([each.participantID for each in bind(state, ["0", "1"])], ["PA", "PB"])

    def test_C_322_holdAndResume(self) -> None:
        """
        On hold nothing is sent; the party stays in the session all the while.
        """
        *_, state = self.states(call("A", "B"), hold("A"), RESUME)
        self.assertEqual(sent(state, "PA"), [(("TA",), 1), ((), 2), (("TA",), None)])
        self.assertEqual(sent(state, "PB"), [(("TB",), None)])
        self.assertEqual(ids(state, "PA"), [(0, None, "")])

    def test_C_323_transferInSession(self) -> None:
        """
        One leaves the session and another comes, in the same minute.
        """
        *_, state = self.states(call("A", "B"), transfer("A", "C"))
        self.assertEqual(ids(state, "PA"), [(0, 1, "stated")])
        self.assertEqual(ids(state, "PC"), [(1, None, "")])
        self.assertEqual(dict(state.senders()), {"TB": "PB", "TC": "PC"})

    def test_C_323_transferByREFER(self) -> None:
        """
        The first session is stopped, and a complete document begins the second.
        """
        *_, state = self.states(call("A", "B"), stop(), call("B", "C", session="S2"))
        self.assertEqual(ids(state, "PA"), [(0, 1, "session-stopped")])
        self.assertEqual(ids(state, "PB"), [(0, 1, "session-stopped")])
        second = state.participations["PB", "S2"].intervals
        self.assertEqual([each.seen for each in second], [minute(2)])
        self.assertEqual(
            (state.sessions["S"].closed, state.sessions["S"].cause), (minute(1), "stated")
        )
        self.assertIsNone(state.sessions["S2"].closed)
        self.assertEqual(dict(state.senders()), {"TB": "PB", "TC": "PC"})

    def test_C_324_disconnect(self) -> None:
        """
        The metadata of the BYE ends all, at the time that it states.
        """
        *_, state = self.states(call("A", "B"), stop())
        for participant in ("PA", "PB"):
            (interval,) = state.participations[participant, "S"].intervals
            self.assertEqual((interval.closed, interval.end), (minute(1), minute(2)))
        self.assertEqual(list(state.senders()), [])
        # The lines keep whom they had.
        self.assertEqual([each.participantID for each in bind(state, ["0", "1"])], ["PA", "PB"])

    def test_C_331_mixed(self) -> None:
        """
        A focus sends one stream for all; hold takes one of them out of it.
        """
        begun, held = self.states(call("A", "B", mixed=True), hold("B"))
        (binding,) = bind(begun, ["0"])
        self.assertEqual((binding.participantID, binding.senders), (None, ("PA", "PB")))
        (binding,) = bind(held, ["0"])
        self.assertEqual((binding.participantID, binding.senders), ("PA", ("PA",)))

    def test_C_333_joinAndDrop(self) -> None:
        """
        A third party joins the conference, and the first one drops out of it; the list of
        SIP sessions is replaced each time.
        """
        person = (
            '<session session_id="S"><sipSessionID>{}</sipSessionID></session>'
            '<participant participant_id="PC"><nameID aor="sip:c@x"/></participant>'
            '<participantsessionassoc participant_id="PC" session_id="S"/>'
            '<participantstreamassoc participant_id="PC"><send>TA</send></participantstreamassoc>'
        )
        drop = (
            '<session session_id="S"><sipSessionID>b;remote=c</sipSessionID></session>'
            '<participantsessionassoc participant_id="PA" session_id="S">'
            f"<disassociate-time>{at(2)}</disassociate-time></participantsessionassoc>"
        )
        joined, dropped = self.states(
            call("A", "B", mixed=True), partial(person.format("a;remote=b")), partial(drop)
        )[1:]
        self.assertEqual(joined.sessions["S"].sipSessionIDs, ("a;remote=b",))
        self.assertEqual(dropped.sessions["S"].sipSessionIDs, ("b;remote=c",))
        self.assertEqual(ids(dropped, "PA"), [(0, 2, "stated")])
        self.assertEqual(ids(dropped, "PC"), [(1, None, "")])
        self.assertEqual(bind(dropped, ["0"])[0].senders, ("PB", "PC"))

    def test_C_341_persistent(self) -> None:
        """
        The communication session ends and the recording session stays: the next one
        begins in it with a partial document.
        """
        again = partial(
            '<session session_id="S2"/>'
            '<participantsessionassoc participant_id="PB" session_id="S2"/>'
        )
        *_, state = self.states(call("A", "B"), stop(), again)
        self.assertEqual(ids(state, "PB"), [(0, 1, "session-stopped")])
        (interval,) = state.participations["PB", "S2"].intervals
        self.assertEqual(interval.seen, minute(2))
        self.assertEqual(state.departed(), {"PA"})

    def test_C_35_turret(self) -> None:
        """
        Two communication sessions at a time on one mixed stream, with one party in both.
        """
        both = recording(
            '<session session_id="S"/><session session_id="S2"/>'
            + "".join(
                f'<participant participant_id="P{each}"><nameID aor="sip:{each}@x"/></participant>'
                f'<participantstreamassoc participant_id="P{each}"><send>T</send>'
                "</participantstreamassoc>"
                for each in "ABC"
            )
            + '<stream stream_id="T" session_id="S"><label>0</label></stream>'
            + "".join(
                f'<participantsessionassoc participant_id="{who}" session_id="{where}"/>'
                for who, where in (("PA", "S"), ("PB", "S"), ("PB", "S2"), ("PC", "S2"))
            )
        )
        begun, ended = self.states(both, stop("S2"))
        self.assertEqual(bind(begun, ["0"])[0].senders, ("PA", "PB", "PC"))
        (first,) = ended.participations["PB", "S"].intervals
        (second,) = ended.participations["PB", "S2"].intervals
        self.assertEqual((first.closed, second.closed), (None, minute(1)))
        self.assertEqual(ended.departed(), {"PC"})
        self.assertEqual(bind(ended, ["0"])[0].senders, ("PA", "PB"))

    def test_7865_groups(self) -> None:
        """
        A group holds its sessions together, from when to when it says.
        """
        group = partial(
            f'<group group_id="G"><associate-time>{at(0)}</associate-time></group>'
            '<session session_id="S"><group-ref>G</group-ref></session>'
        )
        over = partial(
            f'<group group_id="G"><disassociate-time>{at(2)}</disassociate-time></group>'
        )
        *_, state = self.states(call("A"), group, over)
        self.assertEqual(state.sessions["S"].groupRef, "G")
        self.assertEqual(
            state.groups["G"].intervals,
            (Interval(minute(1), minute(0), minute(2), minute(2), "stated"),),
        )

    def test_orderMatters(self) -> None:
        """
        The same documents in the order of their CSeq give the same state wherever they
        are merged; in another order they need not.
        """
        flow = (call("A", "B"), hold("A"), RESUME)
        self.assertEqual(folded(*flow), self.states(*flow)[-1])
        turned = folded(flow[0], flow[2], flow[1])
        self.assertEqual(dict(turned.senders()), {"TB": "PB"})
