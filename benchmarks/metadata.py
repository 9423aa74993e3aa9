"""
What metadata costs: parsing a document of about 4 kB, merging a conference of
500, and what a hostile document of 3 kB can cost.  Run as: python benchmarks/metadata.py
"""

import time
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from lxml import etree

from siprec.metadata.merge import merge
from siprec.metadata.parse import parseMetadata
from siprec.metadata.state import RecordingMetadata

_NOW = datetime(2026, 1, 5, tzinfo=UTC)
_HEAD = '<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>complete</datamode>'


def document(parties: int) -> bytes:
    """
    @return: a complete document of so many participants in one session.
    """
    people = "".join(
        f'<participant participant_id="P{n}"><nameID aor="sip:p{n}@example.com">'
        f'<name xml:lang="en">Participant {n}</name></nameID></participant>'
        f'<stream stream_id="T{n}" session_id="S"><label>{n}</label></stream>'
        f'<participantsessionassoc participant_id="P{n}" session_id="S">'
        "<associate-time>2026-01-05T09:00:00Z</associate-time></participantsessionassoc>"
        f'<participantstreamassoc participant_id="P{n}"><send>T{n}</send>'
        "<recv>T0</recv></participantstreamassoc>"
        for n in range(parties)
    )
    session = '<session session_id="S"><start-time>2026-01-05T09:00:00Z</start-time></session>'
    return f"{_HEAD}{session}{people}</recording>".encode()


def typical() -> bytes:
    """
    @return: a call of two parties with audio and video, and extension data, as in RFC
        8068 section 3.2.1.
    """
    ids = [b64encode(bytes([number] * 16)).decode() for number in range(8)]
    session, people, streams = ids[0], ids[1:3], ids[3:7]
    time = "<associate-time>2026-01-05T09:00:00Z</associate-time>"
    more = [
        "    <data xmlns='http://example.com/data'>",
        "      <kind>FOO!</kind>",
        "      <value>bar</value>",
        "    </data>",
    ]
    lines = [f'  <group group_id="{ids[7]}">', f"    {time}", *more, *more, "  </group>"]
    lines += [f'  <session session_id="{session}">', "    <sipSessionID>"]
    lines.append(f"      {'ab' * 16};remote={'cd' * 16}</sipSessionID>")
    lines.append(f"    <group-ref>{ids[7]}</group-ref>")
    lines += ["    <start-time>2026-01-05T09:00:00Z</start-time>", *more, "  </session>"]
    for number, person in enumerate(people):
        lines += [
            f'  <participant participant_id="{person}">',
            f'    <nameID aor="sip:party{number}@atlanta.example.com">',
            f'      <name xml:lang="en">Party Number {number}</name>',
            "    </nameID>",
            *more,
            "  </participant>",
        ]
    for label, stream in enumerate(streams, 96):
        lines += [
            f'  <stream stream_id="{stream}"',
            f'          session_id="{session}">',
            f"    <label>{label}</label>",
            "  </stream>",
        ]
    lines += [f'  <sessionrecordingassoc session_id="{session}">', f"    {time}"]
    lines.append("  </sessionrecordingassoc>")
    for number, person in enumerate(people):
        lines += [
            f'  <participantsessionassoc participant_id="{person}"',
            f'                           session_id="{session}">',
            f"    {time}",
            "  </participantsessionassoc>",
            f'  <participantstreamassoc participant_id="{person}">',
            *(f"    <send>{each}</send>" for each in streams[2 * number : 2 * number + 2]),
            *(f"    <recv>{each}</recv>" for each in streams[2 - 2 * number : 4 - 2 * number]),
            f"    {time}",
            "  </participantstreamassoc>",
        ]
    return "\n".join([_HEAD, *lines, "</recording>"]).encode()


def hostile() -> bytes:
    """
    @return: elements that nobody knows.
    """
    return f'{_HEAD}<session session_id="S"/>{"<a/>" * 745}</recording>'.encode()


def cost(run: Callable[[], object], times: int) -> float:
    """
    @return: least CPU time of one run, in milliseconds: whatever else runs on the
        machine can only make it longer.
    """
    taken = []
    for _ in range(times):
        began = time.process_time()
        run()
        taken.append(time.process_time() - began)
    return 1000 * min(taken)


def main() -> None:
    """
    Measure, each against lxml alone in the same run.
    """
    for name, body in (("two parties", typical()), ("eight parties", document(8))):
        floor = cost(partial(etree.fromstring, body), 500)
        parse = cost(partial(parseMetadata, body), 500)
        times = f"{parse / floor:.1f} times lxml alone"
        print(f"parse {name}, {len(body)} bytes: {parse:.3f} ms, {times}")
    body = hostile()
    print(f"parse hostile, {len(body)} bytes: {cost(lambda: parseMetadata(body), 50):.1f} ms")
    conference = parseMetadata(document(500))
    first = cost(lambda: merge(RecordingMetadata(), conference, _NOW), 20)
    state = merge(RecordingMetadata(), conference, _NOW)
    again = cost(lambda: merge(state, conference, _NOW), 20)
    print(f"merge 500 participants: {first:.1f} ms new, {again:.1f} ms again")


if __name__ == "__main__":
    main()
