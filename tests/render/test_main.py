"""
Tests of C{siprec.render.__main__}.
"""

import io
import json
import os
from typing import Any, BinaryIO

from attrs import define, field
from twisted.trial.unittest import SynchronousTestCase

from siprec.render import __main__ as module
from siprec.render.__main__ import main, serve
from siprec.render.form import Form
from tests.render.journals import audioOf, talk, writeRecording


class MainTests(SynchronousTestCase):
    """
    What the child process does for one recording.
    """

    def _main(self, *arguments: str) -> tuple[int, str, str]:
        output, errors = io.StringIO(), io.StringIO()
        status = main(arguments, output, errors)
        return status, output.getvalue(), errors.getvalue()

    def test_renders(self) -> None:
        """
        It prints one JSON object and nothing else.
        """
        directory = self.mktemp()
        writeRecording(directory, {"1-0.rtpdump": talk(50)})
        status, output, errors = self._main(directory)
        self.assertEqual((status, errors), (0, ""))
        self.assertEqual(json.loads(output)["duration"], 1.0)
        self.assertEqual(output.count("\n"), 1)

    def test_fails(self) -> None:
        """
        What cannot be rendered is exit status 1 and a line that says why.
        """
        status, output, errors = self._main(self.mktemp())
        self.assertEqual((status, output), (1, ""))
        self.assertIn("No such file", errors)

    def test_usage(self) -> None:
        """
        Anything but one folder is a usage error.
        """
        for arguments in ((), ("a", "b")):
            status, output, errors = self._main(*arguments)
            self.assertEqual((status, output), (2, ""))
            self.assertIn("usage:", errors)


@define(eq=False, slots=False)
class _Answers(io.BytesIO):
    """
    Answers, and how often they were sent off.
    """

    flushed: list[int] = field(factory=list, init=False)

    def flush(self) -> None:
        self.flushed.append(len(self.getvalue()))


class ServeTests(SynchronousTestCase):
    """
    What the child process does that stays.
    """

    def _serve(self, *requests: bytes) -> list[Any]:
        """
        @return: the answers.
        """
        answers, left = _Answers(), [0]
        serve(io.BytesIO(b"".join(requests)), answers, lambda: left.append(1))
        self.assertEqual(left, [0, 1])
        lines = answers.getvalue().split(b"\n")
        self.assertEqual(lines.pop(), b"")
        ends = [sum(len(line) + 1 for line in lines[: n + 1]) for n in range(len(lines))]
        self.assertEqual(answers.flushed, ends)
        return [json.loads(line) for line in lines]

    def _recording(self, packets: int) -> str:
        directory: str = self.mktemp()
        writeRecording(directory, {"1-0.rtpdump": talk(packets)})
        return directory

    def _request(self, directory: object) -> bytes:
        return json.dumps({"directory": directory}).encode() + b"\n"

    def test_renders(self) -> None:
        """
        Each line is answered with one, in order, as soon as it is rendered; the end
        of the requests is the end.
        """
        places = [self._recording(50), self._recording(100)]
        answers = self._serve(*map(self._request, places))
        self.assertEqual([each["rendering"]["duration"] for each in answers], [1.0, 2.0])
        self.assertEqual([audioOf(each).shape for each in places], [(1, 8000), (1, 16_000)])

    def test_form(self) -> None:
        """
        A request may say what the audio is to look like.
        """
        directory = self._recording(50)
        request = {"directory": directory, "form": {"format": "flac", "peaks": True}}
        (answer,) = self._serve(json.dumps(request).encode() + b"\n")
        self.assertEqual(answer["rendering"]["audio"]["file"], "audio.flac")
        self.assertEqual(audioOf(directory, "audio.flac").shape, (1, 8000))
        self.assertIn("audio.peaks.json", os.listdir(directory))

    def test_nothing(self) -> None:
        """
        Without a request it ends without an answer.
        """
        self.assertEqual(self._serve(), [])

    def test_fails(self) -> None:
        """
        What cannot be rendered is answered with the reason, and the next one is
        rendered.
        """
        missing = os.fsdecode(b"/nowhere/\xff")
        first, second = self._serve(self._request(missing), self._request(self._recording(50)))
        self.assertEqual(list(first), ["error"])
        self.assertIn("No such file or directory: '/nowhere/", first["error"])
        self.assertEqual(second["rendering"]["duration"], 1.0)

    def test_badRequest(self) -> None:
        """
        What is no request is answered too.
        """
        for request in (
            b"{\n",
            b"\xff\n",
            b"[]\n",
            b"1\n",
            b"{}\n",
            b"\n",
            self._request(None),
            self._request(1),
            b'{"directory": "/r", "form": 1}\n',
            b'{"directory": "/r", "form": {"format": "au"}}\n',
        ):
            (answer,) = self._serve(request)
            self.assertIn("not a request: ", answer["error"])

    def test_unforeseen(self) -> None:
        """
        What nobody has foreseen is not answered: it ends the process.
        """

        def render(directory: str, form: Form, split: str, maskDigits: bool) -> dict[str, Any]:
            raise MemoryError(directory)

        self.patch(module, "renderDirectory", render)
        answers: BinaryIO = io.BytesIO()
        requests = io.BytesIO(self._request("/r"))
        self.assertRaises(MemoryError, serve, requests, answers, lambda: None)
        self.assertEqual(answers.tell(), 0)
