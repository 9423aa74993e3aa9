"""
What is looked at now and then while calls run: whether media comes, whether the peers
still are, and whether a call has become too long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from siprec.rounds import Rounds, RoundsService
from siprec.session.model import StreamInfo
from siprec.session.silence import Silence
from siprec.uas.around import Surroundings
from siprec.uas.call import Call
from siprec.uas.probing import Probing

__all__ = ["INTERVAL", "TOO_LONG", "Upkeep"]

log = Logger()

#: Seconds between two looks.
INTERVAL = 5.0

#: Type of the event, and reason of the end, of a call that has become too long.
TOO_LONG = "maxLength"


@define(eq=False, repr=False, slots=False)
class Upkeep(RoundsService):
    """
    Looks after all calls of a node.

    @ivar silences: how often a stream has become silent.
    """

    _around: Surroundings
    _calls: Callable[[], Iterable[Call]]
    # Seconds each; 0: never.
    _mediaTimeout: float = field(kw_only=True)
    _probeAfter: float = field(kw_only=True)
    _maxLength: float = field(kw_only=True)
    silences: int = field(default=0, init=False)
    _silent: dict[Call, Silence] = field(factory=dict, init=False)
    _ending: set[Call] = field(factory=set, init=False)
    _probing: Probing = field(init=False)
    _rounds: Rounds = field(init=False)

    @_probing.default
    def _makeProbing(self) -> Probing:
        return Probing(self._around, self._probeAfter)

    @_rounds.default
    def _makeRounds(self) -> Rounds:
        failed = "the calls were not looked at; they are at the next look"
        return Rounds(self._around.clock, INTERVAL, self._look, failed)

    @property
    def silent(self) -> int:
        """
        How many streams are silent.
        """
        return sum(each.silent for each in self._silent.values())

    def _look(self) -> None:
        calls = [each for each in self._calls() if each.live is not None and not each.over]
        if self._mediaTimeout:
            self._listen(calls)
        if self._around.isCutOff():
            # They may be another node's by now.
            return
        if self._probeAfter:
            self._probing.look(calls)
        if self._maxLength:
            self._measure(calls)

    def _listen(self, calls: list[Call]) -> None:
        before, self._silent = self._silent, {}
        now = self._around.clock.seconds()
        for call in calls:
            live = call.live
            assert live is not None, "only what is recorded is looked at"
            silence = self._silent[call] = before.get(call) or Silence(live, self._mediaTimeout)
            events = live.recording.events
            self.silences += silence.look(now, partial(_isHeld, call))
            if live.recording.events is not events:
                call.saveSoon()

    def _measure(self, calls: list[Call]) -> None:
        now = self._around.now()
        for call in calls:
            live = call.live
            assert live is not None, "only what is recorded is looked at"
            length = now - live.recording.startTime
            if length >= self._maxLength and call not in self._ending:
                self._ending.add(call)
                ending = Deferred.fromCoroutine(self._end(call))
                ending.addErrback(call.broken).addCallback(self._ended, call)

    def _ended(self, _: None, call: Call) -> None:
        self._ending.discard(call)

    async def _end(self, call: Call) -> None:
        # A process that was frozen finds out here that the call is another's.
        await call.save()
        if call.over or call.live is None:
            return
        log.info(
            "{recording}: ended, it has lasted {seconds} s",
            recording=call.live.recording.id,
            seconds=self._maxLength,
            callID=call.dialog.callID,
        )
        call.live.event(TOO_LONG, seconds=self._maxLength)
        call.stop(200, TOO_LONG)


def _isHeld(call: Call, stream: StreamInfo) -> bool:
    remote = call.negotiation.remote
    return remote is not None and remote.held(stream.mediaIndex)
