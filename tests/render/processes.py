"""
Processes that do what a test says.
"""

import json
import signal
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, AnyStr

from attrs import define, field
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import (
    IAddress,
    IProcessProtocol,
    IProcessTransport,
    IReactorProcess,
)
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["FakeProcess", "FakeReactor"]


@implementer(IProcessTransport)
@define(eq=False)
class FakeProcess:
    """
    A child that renders.

    @ivar written: what it was asked, as it came.
    @ivar gone: it has ended, and nobody has been told yet.
    """

    protocol: Any
    executable: bytes | str = ""
    command: Sequence[bytes | str] = ()
    environment: Mapping[Any, Any] = field(factory=dict)
    written: bytes = field(default=b"", init=False)
    signals: list[str | int] = field(factory=list, init=False)
    gone: bool = field(default=False, init=False)
    pid: int | None = 1

    @property
    def asked(self) -> list[str]:
        """
        The folders it was asked to render.
        """
        return [json.loads(line)["directory"] for line in self.written.splitlines()]

    def answer(self, **answer: object) -> None:
        """
        Answer the next request.
        """
        self.protocol.outReceived(json.dumps(answer).encode() + b"\n")

    def end(self, status: int = 0) -> None:
        """
        Exit.
        """
        self.protocol.processEnded(Failure(ProcessTerminated(status) if status else ProcessDone(0)))

    def die(self, number: int = signal.SIGKILL) -> None:
        """
        End by a signal.
        """
        self.protocol.processEnded(Failure(ProcessTerminated(None, number, number)))

    def signalProcess(self, signalID: str | int) -> None:
        """
        See L{IProcessTransport.signalProcess}.
        """
        if self.gone:
            raise ProcessExitedAlready()
        self.signals.append(signalID)

    def write(self, data: bytes) -> None:
        """
        See L{twisted.internet.interfaces.ITransport.write}.
        """
        self.written += data

    def closeStdin(self) -> None:
        raise NotImplementedError

    def closeStdout(self) -> None:
        raise NotImplementedError

    def closeStderr(self) -> None:
        raise NotImplementedError

    def closeChildFD(self, descriptor: int) -> None:
        raise NotImplementedError

    def writeToChild(self, childFD: int, data: bytes) -> None:
        raise NotImplementedError

    def writeSequence(self, data: Iterable[bytes]) -> None:
        raise NotImplementedError

    def loseConnection(self) -> None:
        raise NotImplementedError

    def getPeer(self) -> IAddress:
        raise NotImplementedError

    def getHost(self) -> IAddress:
        raise NotImplementedError


@implementer(IReactorProcess)
@define(eq=False)
class FakeReactor:
    """
    Starts L{FakeProcess}es.

    @ivar error: raised instead.
    """

    processes: list[FakeProcess] = field(factory=list, init=False)
    error: OSError | None = field(default=None, init=False)

    def spawnProcess(
        self,
        processProtocol: IProcessProtocol,
        executable: bytes | str,
        args: Sequence[bytes | str],
        env: Mapping[AnyStr, AnyStr] | None = None,
        path: bytes | str | None = None,
        uid: int | None = None,
        gid: int | None = None,
        usePTY: bool | tuple[int, int, str] = False,
        childFDs: Mapping[int, int | str] | None = None,
    ) -> IProcessTransport:
        """
        See L{IReactorProcess.spawnProcess}.
        """
        if self.error is not None:
            raise self.error
        made = FakeProcess(processProtocol, executable, args, env or {})
        self.processes.append(made)
        processProtocol.makeConnection(made)
        return made
