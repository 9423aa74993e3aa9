"""
Tests of L{siprec.render.process} with real processes.
"""

import errno
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IProcessTransport, IReactorProcess
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

import siprec
from siprec.render.form import Form
from siprec.render.process import Renderer, RenderFailed
from siprec.session.interfaces import RendererStopped
from tests.functional.node import eventually
from tests.render.journals import audioOf, talk, writeRecording

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(siprec.__file__)))
_ENVIRONMENT = {**os.environ, "PYTHONPATH": _ROOT}

# A parent of two children: the first is at a recording that never ends, the second
# waits for one when "ready" is said.
_PARENT = """
import sys
from twisted.internet import reactor
from siprec.render.process import Renderer

class Telling:
    def spawnProcess(self, *args, **kwargs):
        process = reactor.spawnProcess(*args, **kwargs)
        print(process.pid, flush=True)
        return process

renderer = Renderer(Telling(), reactor, workers=2)
renderer.startService()
renderer.render(sys.argv[1])
renderer.render(sys.argv[2]).addCallback(lambda _: print("ready", flush=True))
reactor.run()
"""

# What some library might do, in Python and in C.
_NOISY = """
import os, sys
from siprec.render import __main__ as module

def render(directory, form, split, maskDigits):
    print("from Python", flush=True)
    os.write(1, b"from C\\n")
    return {"read": os.read(0, 100).decode()}

module.renderDirectory = render
sys.exit(module._run(["--serve"]))
"""

_RAISING = """
import sys
from siprec.render import __main__ as module

def render(directory, form, split, maskDigits):
    raise MemoryError("no more")

module.renderDirectory = render
sys.exit(module._run(["--serve"]))
"""


def _recording(directory: str) -> str:
    """
    @return: the folder of a recording of two seconds.
    """
    writeRecording(directory, {"1-0.rtpdump": talk(100)})
    return os.path.abspath(directory)


def _endless(directory: str) -> str:
    """
    @return: the folder of a recording that is never rendered: its journal is a pipe
        into which nobody writes.
    """
    writeRecording(directory, {"1-0.rtpdump": []})
    journal = os.path.join(directory, "1-0.rtpdump")
    os.unlink(journal)
    os.mkfifo(journal)
    return os.path.abspath(directory)


async def _reached(directory: str) -> int:
    """
    Wait until somebody is at an endless recording.

    @return: the writing end of its journal, to be closed.
    """

    def look() -> list[int]:
        try:
            return [os.open(f"{directory}/1-0.rtpdump", os.O_WRONLY | os.O_NONBLOCK)]
        except OSError as error:
            if error.errno != errno.ENXIO:  # "no process has the FIFO open for reading"
                raise
            return []

    (descriptor,) = await eventually("the recording is being rendered", look)
    return descriptor


@implementer(IReactorProcess)
@define(eq=False)
class _Counting:
    """
    The real reactor.

    @ivar started: the processes that it has started, with their protocols.
    """

    started: list[tuple[Any, IProcessTransport]] = field(factory=list, init=False)

    def spawnProcess(self, *args: Any, **settings: Any) -> IProcessTransport:
        """
        See L{IReactorProcess.spawnProcess}.
        """
        process: IProcessTransport = reactor.spawnProcess(*args, **settings)
        self.started.append((args[0], process))
        return process


class RealProcessTests(TestCase):
    """
    The child is found, and does its work.
    """

    def _renderer(self, **settings: Any) -> Renderer:
        self.processes = _Counting()
        renderer = Renderer(self.processes, reactor, **settings)
        renderer.startService()
        self.addCleanup(lambda: renderer.stopService() if renderer.running else None)
        return renderer

    def _started(self) -> int:
        return len(self.processes.started)

    async def test_renders(self) -> None:
        """
        Two recordings, one after the other, become audio in one process.
        """
        renderer = self._renderer()
        places = [_recording(self.mktemp()), _recording(self.mktemp())]
        for done in [renderer.render(place) for place in places]:
            rendering = await done
            self.assertEqual(rendering["duration"], 2.0)
        for place in places:
            self.assertEqual(audioOf(place).shape, (1, 16_000))
        self.assertEqual(self._started(), 1)

    async def test_form(self) -> None:
        """
        The audio has the form that the renderer was told, and its peaks are there.
        """
        renderer = self._renderer(form=Form("opus", "mixed", peaks=True))
        place = _recording(self.mktemp())
        rendering = await renderer.render(place)
        self.assertEqual(rendering["audio"]["file"], "audio.ogg")
        self.assertEqual(audioOf(place, "audio.ogg").shape, (1, 16_000))
        self.assertTrue(os.path.exists(f"{place}/audio.peaks.json"))

    async def test_few(self) -> None:
        """
        Fifty recordings take as many processes as there are workers, not more.
        """
        renderer, base = self._renderer(workers=2), self.mktemp()
        places = [_recording(os.path.join(base, str(number))) for number in range(50)]
        for rendering in await gatherResults([renderer.render(place) for place in places]):
            self.assertEqual(rendering["duration"], 2.0)
        self.assertEqual({os.path.exists(f"{place}/audio.wav") for place in places}, {True})
        self.assertEqual(self._started(), 2)

    async def test_replaced(self) -> None:
        """
        A child that has rendered its share makes room for another.
        """
        renderer, place = self._renderer(jobs=2), _recording(self.mktemp())
        await gatherResults([renderer.render(place) for _ in range(3)])
        self.assertEqual(self._started(), 2)

    async def test_idle(self) -> None:
        """
        A child without work is gone after a while, and the next recording is
        rendered all the same.
        """
        renderer, place = self._renderer(idle=0.01), _recording(self.mktemp())
        for number in range(1, 3):
            await renderer.render(place)
            await self.processes.started[-1][0].ended
            self.assertEqual(self._started(), number)

    async def test_nice(self) -> None:
        """
        A child gives way to calls that are being recorded.
        """
        renderer, place = self._renderer(), _recording(self.mktemp())
        await renderer.render(place)
        pid = self.processes.started[0][1].pid
        assert pid is not None
        own = os.getpriority(os.PRIO_PROCESS, 0)
        self.assertEqual(os.getpriority(os.PRIO_PROCESS, pid), min(own + 10, 19))

    async def test_fails(self) -> None:
        """
        What cannot be rendered fails with the child's own words, and the child stays.
        """
        renderer = self._renderer()
        error = await self.assertFailure(renderer.render("/nowhere/at/all"), RenderFailed)
        self.assertIn("No such file or directory: '/nowhere/at/all", str(error))
        await renderer.render(_recording(self.mktemp()))
        self.assertEqual(self._started(), 1)

    async def test_killed(self) -> None:
        """
        A child that is killed with C{kill -9} takes with it only what it was at.
        """
        renderer = self._renderer(workers=2)
        endless = _endless(self.mktemp())
        lost: Deferred[Any] = self.assertFailure(renderer.render(endless), RenderFailed)
        places = [_recording(self.mktemp()) for _ in range(6)]
        others = [renderer.render(place) for place in places]
        await others[0]
        self.addCleanup(os.close, await _reached(endless))
        pid = self.processes.started[0][1].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(str(await lost), "killed by signal 9")
        for done in others[1:]:
            self.assertEqual((await done)["duration"], 2.0)
        self.assertEqual((await renderer.render(places[0]))["duration"], 2.0)
        self.assertLessEqual(self._started(), 3)

    async def test_killedAhead(self) -> None:
        """
        What a killed child had beside the recording that it was at is rendered by another.
        """
        renderer = self._renderer()
        place = _recording(self.mktemp())
        for _ in range(2):
            # After the first one it is quick, whatever it took to start.
            await renderer.render(place)
        endless = _endless(self.mktemp())
        lost: Deferred[Any] = self.assertFailure(renderer.render(endless), RenderFailed)
        others = [renderer.render(_recording(self.mktemp())) for _ in range(3)]
        child, process = self.processes.started[0]
        self.assertEqual(len(child.jobs), 4)
        self.addCleanup(os.close, await _reached(endless))
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        self.assertEqual(str(await lost), "killed by signal 9")
        for done in others:
            self.assertEqual((await done)["duration"], 2.0)
        self.assertEqual(self._started(), 2)

    async def test_timeout(self) -> None:
        """
        A child that takes too long is killed, and another renders the next one.
        """
        renderer = self._renderer(timeout=0.5)
        done = renderer.render(_endless(self.mktemp()))
        error = await self.assertFailure(done, RenderFailed)
        self.assertEqual(str(error), "it took longer than 0.5 seconds")
        renderer.timeout = 60
        self.assertEqual((await renderer.render(_recording(self.mktemp())))["duration"], 2.0)
        self.assertEqual(self._started(), 2)

    async def test_stop(self) -> None:
        """
        After a stop no child is left, and no audio file that is not whole.
        """
        renderer, directory = self._renderer(), _endless(self.mktemp())
        done: Deferred[Any] = self.assertFailure(renderer.render(directory), RendererStopped)
        self.addCleanup(os.close, await _reached(directory))
        await renderer.stopService()
        await done
        self.assertEqual(sorted(os.listdir(directory)), ["1-0.rtpdump", "recording.json"])
        self.assertEqual(self.processes.started[0][1].pid, None)


class OrphanTests(TestCase):
    """
    No child outlives its parent.
    """

    if not hasattr(os, "pidfd_open"):
        skip = "to see the end of somebody else's process takes Linux"

    async def test_killed(self) -> None:
        """
        When the parent is killed with C{kill -9} its children end: the one without
        work, and the one in the midst of a recording.
        """
        places = [_endless(self.mktemp()), _recording(self.mktemp())]
        with subprocess.Popen(
            [sys.executable, "-c", _PARENT, *places],
            stdout=subprocess.PIPE,
            env=_ENVIRONMENT,
        ) as parent:
            self.addCleanup(parent.kill)
            assert parent.stdout is not None
            children = [os.pidfd_open(int(parent.stdout.readline())) for _ in range(2)]
            for child in children:
                self.addCleanup(os.close, child)
            self.assertEqual(parent.stdout.readline(), b"ready\n")
            self.addCleanup(os.close, await _reached(places[0]))
            self.assertEqual(self._ended(children, 0), 0)
            parent.kill()
        self.assertEqual(self._ended(children, 20), 2)

    def _ended(self, processes: Sequence[int], patience: float) -> int:
        """
        @return: how many processes end within so many seconds.
        """
        return sum(bool(select.select([each], [], [], patience)[0]) for each in processes)


class ProgramTests(SynchronousTestCase):
    """
    C{python -m siprec.render}.
    """

    def _start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-P", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_ENVIRONMENT,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def _ask(self, process: "subprocess.Popen[bytes]", directory: str) -> Any:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps({"directory": directory}).encode() + b"\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    def test_directory(self) -> None:
        """
        With a folder it renders that, prints JSON and exits.
        """
        place = _recording(self.mktemp())
        output, errors = self._start("-m", "siprec.render", place).communicate()
        self.assertEqual((json.loads(output)["duration"], errors), (2.0, b""))

    def test_serve(self) -> None:
        """
        With C{--serve} it answers until its input is closed; Ctrl-C is for its parent.
        """
        process = self._start("-m", "siprec.render", "--serve")
        place = _recording(self.mktemp())
        self.assertEqual(self._ask(process, place)["rendering"]["duration"], 2.0)
        process.send_signal(signal.SIGINT)
        self.assertIn("No such file", self._ask(process, "/nowhere")["error"])
        self.assertEqual(process.communicate(), (b"", b""))
        self.assertEqual(process.returncode, 0)

    def test_strayOutput(self) -> None:
        """
        What a library prints, in Python or in C, is no answer, but a complaint; and
        what it reads is no request.
        """
        process = self._start("-c", _NOISY)
        for _ in range(2):
            self.assertEqual(self._ask(process, "/r"), {"rendering": {"read": ""}})
        output, errors = process.communicate()
        self.assertEqual((output, errors), (b"", b"from Python\nfrom C\n" * 2))

    def test_unforeseen(self) -> None:
        """
        What nobody has foreseen ends the process with a traceback, though its input
        is open.
        """
        process = self._start("-c", _RAISING)
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(b'{"directory": "/r"}\n')
        process.stdin.flush()
        errors = process.stderr.read()
        self.assertTrue(errors.endswith(b"\nMemoryError: no more\n"), errors)
        self.assertEqual(process.wait(), 1)
