"""
The same calls by sipp, where that is installed: whether what our own client finds is so.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
from collections.abc import Sequence

from benchmarks.caller import HOLD, HOST, Messages
from benchmarks.nodes import freePort

__all__ = ["PROGRAM", "isInstalled", "measure", "scenario", "timesOf"]

PROGRAM = "sipp"

#: sipp does not take a file for XML without it.
_FIRST = '<?xml version="1.0" encoding="UTF-8"?>'

_HEAD = """\
{method} sip:srs@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
From: <sip:src@[local_ip]:[local_port]>;tag=from[call_number]
To: <sip:srs@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: {number} {method}
Max-Forwards: 70
"""


def isInstalled() -> bool:
    """
    Whether there is a program to measure with.
    """
    return shutil.which(PROGRAM) is not None


def scenario(hold: float = HOLD) -> str:
    """
    @param hold: seconds from the ACK to the BYE.
    @return: what sipp does for a call: the same as L{benchmarks.caller.Caller} does.
    """
    head, _, body = Messages(1, 1).make("INVITE", 0).decode().partition("\r\n\r\n")
    kind = next(line for line in head.splitlines() if line.startswith("Content-Type:"))
    # A communication session for each call, as the caller has, too.
    body = re.sub('session_id="0+"', 'session_id="session[call_number]"', body)
    lines = f"Contact: <sip:src@[local_ip]:[local_port]>;+sip.src\nRequire: siprec\n{kind}\n"
    parts = [
        _send("INVITE", 1, lines, "\n".join(body.splitlines()), ' retrans="500" start_rtd="1"'),
        '<recv response="100" optional="true"/>',
        '<recv response="200" rtd="1"/>',
        _send("ACK", 1),
        f'<pause milliseconds="{1000 * hold:.0f}"/>',
        _send("BYE", 2, options=' retrans="500"'),
        '<recv response="200"/>',
    ]
    return "\n".join([_FIRST, '<scenario name="call">', *parts, "</scenario>", ""])


def _send(method: str, number: int, more: str = "", body: str = "", options: str = "") -> str:
    head = _HEAD.format(method=method, number=number)
    text = f"{head}{more}Content-Length: [len]\n\n{body}\n"
    return f"<send{options}><![CDATA[\n{text}]]></send>"


def measure(node: int, rate: float, count: int, folder: str) -> list[float]:
    """
    Have calls made.

    @param node: its port for SIP.
    @param rate: calls a second.
    @param folder: an empty one.
    @return: milliseconds until each 200 to an INVITE.
    @raise CalledProcessError: not each call came to its end.
    """
    with open(f"{folder}/call.xml", "w", encoding="utf-8") as file:
        file.write(scenario())
    command = [PROGRAM, f"{HOST}:{node}", "-sf", "call.xml", "-i", HOST, "-p", str(freePort())]
    command += ["-r", f"{rate:g}", "-m", str(count), "-trace_rtt", "-rtt_freq", "1"]
    subprocess.run(
        [*command, "-nostdin", "-timeout", "60"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        check=True,
        timeout=90,
    )
    [name] = (each for each in os.listdir(folder) if each.endswith("_rtt.csv"))
    with open(os.path.join(folder, name), encoding="ascii") as file:
        return timesOf(file.readlines())


def timesOf(lines: Sequence[str]) -> list[float]:
    """
    @param lines: of the file that sipp writes, the names of the columns first.
    @return: the response times in it, in milliseconds.
    """
    return [float(row[1]) for row in csv.reader(lines[1:], delimiter=";") if len(row) > 1]
