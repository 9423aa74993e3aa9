"""
SIP messages as a ladder: the peer to the left, the node to the right, and between
them an arrow for each message.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from attrs import define, field

from siprec.shell.tables import printable
from siprec.trace.glance import Glance, glance
from siprec.trace.wire import TracedMessage

__all__ = ["Ladder", "byCall"]

# Characters of the shaft of an arrow, and of what is written on it.
_SHAFT, _LABEL = 38, 33
_LONGEST_ID = 200
# So many calls are remembered; one that is forgotten gets a new number.
_CALLS = 10_000


@define(eq=False, repr=False)
class _Call:
    """
    @ivar number: what it is called here.
    @ivar last: the time of its latest message.
    """

    number: int
    last: float


@define(eq=False, repr=False)
class Ladder:
    """
    Draws one message after the other.  Each line says all of its message, so that
    those of several calls can come in any order.

    @ivar full: whether the messages are written out, too.
    """

    full: bool = False
    _calls: OrderedDict[str, _Call] = field(factory=OrderedDict, init=False)
    _count: int = field(default=0, init=False)
    _width: int = field(default=21, init=False)

    def lines(self, message: TracedMessage) -> Iterator[str]:
        """
        @return: for the terminal, without line breaks.
        """
        seen = glance(message.data)
        call = self._calls.get(seen.callID)
        if call is None:
            call = self._begun(seen.callID, message.time)
            yield f"[{call.number}] {_shown(seen.callID)[:_LONGEST_ID] or 'without a Call-ID'}"
        yield self._rung(message, seen, call)
        call.last = message.time
        if self.full:
            for line in _text(message.data).split("\n"):
                yield f"    {line}".rstrip()
            yield ""

    def _begun(self, callID: str, when: float) -> _Call:
        self._count += 1
        call = self._calls[callID] = _Call(self._count, when)
        if len(self._calls) > _CALLS:
            self._calls.popitem(last=False)
        return call

    def _rung(self, message: TracedMessage, seen: Glance, call: _Call) -> str:
        when = datetime.fromtimestamp(message.time, UTC).strftime("%H:%M:%S.%f")
        local, remote = _address(message.local), _address(message.remote)
        self._width = max(self._width, len(local), len(remote))
        return (
            f"{when} {message.time - call.last:+9.3f}  [{call.number}]"
            f"  {remote:>{self._width}} |{_arrow(seen.label, message.sent)}|"
            f" {local:<{self._width}}  {message.transport} {len(message.data)}"
        )


def byCall(messages: Iterable[TracedMessage]) -> list[list[TracedMessage]]:
    """
    @return: the messages of each call, the calls in the order of their first ones.
    """
    calls: dict[str, list[TracedMessage]] = {}
    for message in messages:
        calls.setdefault(glance(message.data).callID, []).append(message)
    return list(calls.values())


def _arrow(label: str, leftwards: bool) -> str:
    label = _shown(label)
    if len(label) > _LABEL:
        label = f"{label[: _LABEL - 3]}..."
    if leftwards:
        return "<" + f" {label} --".rjust(_SHAFT, "-")
    return f"-- {label} ".ljust(_SHAFT, "-") + ">"


def _address(end: tuple[str, int]) -> str:
    host, port = end
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _shown(text: str) -> str:
    return " ".join(printable(text).split())


def _text(data: bytes) -> str:
    return printable(data.decode("utf-8", "backslashreplace").replace("\r\n", "\n")).rstrip("\n")
