"""
Tests of L{siprec.cli}.
"""

from __future__ import annotations

import contextlib
import io
import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from siprec import __version__, cli
from siprec.render.recording import renderDirectory
from siprec.session.manifest import Manifest, readManifest, withRendering, writeManifest
from siprec.session.model import Format
from siprec.trace.command import TraceCommand
from tests.render.journals import PCMU, audioOf, press, talk, writeRecording


class CommandTestCase(SynchronousTestCase):
    """
    A command, and a directory to use it on.
    """

    def setUp(self) -> None:
        self.directory = self.mktemp()

    def run_(self, *arguments: str) -> tuple[int, str, str]:
        """
        @return: exit status, output and errors of the command.
        """
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            try:
                status = cli.main(arguments)
            except SystemExit as end:
                status = int(end.code or 0)
        return status, output.getvalue(), errors.getvalue()

    def error(self, *arguments: str) -> str:
        """
        @return: the one line that is printed before the end with status 1.
        """
        status, output, errors = self.run_(*arguments)
        self.assertEqual((status, output), (1, ""))
        self.assertEqual(errors.count("\n"), 1, errors)
        self.assertTrue(errors.startswith("siprec: "))
        return errors

    def record(self, state: str = "complete", **changes: Any) -> Manifest:
        """
        Write a recording that is over.
        """
        journals = {"1-0.rtpdump": talk(50), "1-1.rtpdump": talk(25, seed=2)}
        if not os.path.exists(self.directory):
            writeRecording(self.directory, journals, streams=((), ()), end=1.0)
        manifest = readManifest(self.directory)
        manifest["segments"][0]["end"] = manifest["endTime"]
        manifest |= {"state": state, "endReason": "bye", **changes}
        writeManifest(self.directory, manifest)
        return manifest


class RenderTests(CommandTestCase):
    """
    C{siprec render DIRECTORY}.
    """

    def test_fetched(self) -> None:
        """
        A recording whose journals were with another node is complete when they have
        been fetched.
        """
        self.record("incomplete")
        path = os.path.join(self.directory, "1-1.rtpdump")
        os.rename(path, f"{path}.away")
        self.run_("render", self.directory)
        manifest = readManifest(self.directory)
        self.assertEqual(manifest["state"], "incomplete")
        self.assertEqual([each["files"] for each in manifest["missing"]], [["1-1.rtpdump"]])
        os.rename(f"{path}.away", path)
        self.run_("render", self.directory)
        manifest = readManifest(self.directory)
        self.assertEqual((manifest["state"], "missing" in manifest), ("complete", False))

    def test_again(self) -> None:
        """
        The audio is made again, as often as one likes, and the manifest says
        what was found; the journals are as they were.
        """
        self.record()
        found = []
        for _ in range(2):
            status, output, errors = self.run_("render", self.directory)
            self.assertEqual((status, errors), (0, ""))
            self.assertEqual(
                output, f"{self.directory}/audio.wav: 1.000 s, 2 channels, 75 packets\n"
            )
            found.append(readManifest(self.directory))
        self.assertEqual(found[0], found[1])
        self.assertEqual(found[0]["state"], "complete")
        self.assertEqual([each["packets"] for each in found[0]["streams"]], [50, 25])
        self.assertEqual(audioOf(self.directory).shape, (2, 8000))

    def test_split(self) -> None:
        """
        Each communication session gets a file of its own if that is asked for, and then
        again with each rendering.
        """
        started = {
            "at": 0.0,
            "time": "2026-01-05T09:00:00.000000Z",
            "type": "session",
            "source": "metadata",
            "event": "sessionStarted",
            "session": "S",
        }
        self.record(timeline=[started])
        for arguments in (["--split", "session"], []):
            self.assertEqual(self.run_("render", *arguments, self.directory)[0], 0)
            [part] = readManifest(self.directory)["audio"]["parts"]
            self.assertEqual((part["session"], part["duration"]), ("S", 1.0))
        self.run_("render", "--split", "none", self.directory)
        self.assertNotIn("parts", readManifest(self.directory)["audio"])

    def test_form(self) -> None:
        """
        What the audio looks like can be said, stays so with each rendering, and files
        that the manifest does not name any more are gone.
        """
        self.record()
        self.assertEqual(self.run_("render", self.directory)[0], 0)
        given = ["--format", "flac", "--layout", "streams", "--peaks"]
        for arguments in (given, []):
            self.assertEqual(self.run_("render", *arguments, self.directory)[0], 0)
            audio = readManifest(self.directory)["audio"]
            self.assertEqual((audio["format"], audio["layout"]), ("flac", "streams"))
            names = {name for name in os.listdir(self.directory) if name.startswith("audio")}
            self.assertEqual(names, {"audio.0.flac", "audio.1.flac", "audio.peaks.json"})
        self.run_("render", "--layout", "mixed", "--no-peaks", self.directory)
        names = {name for name in os.listdir(self.directory) if name.startswith("audio")}
        self.assertEqual(names, {"audio.flac"})

    def test_badForm(self) -> None:
        """
        A manifest that names an unknown format is an error, and nothing is changed.
        """
        manifest = self.record()
        manifest["audio"] = {"file": "audio.au", "format": "au"}
        writeManifest(self.directory, manifest)
        status, _, errors = self.run_("render", self.directory)
        self.assertEqual(status, 1)
        self.assertIn("cannot write 'au'", errors)

    def test_masked(self) -> None:
        """
        Digits that were masked are masked again.
        """
        packets = press(5, begin=0.5, sequence=1, timestamp=1)
        formats = ((PCMU, Format(101, "telephone-event", 8000)),)
        writeRecording(self.directory, {"1-0.rtpdump": packets}, streams=formats, end=1.0)
        self.record()
        for masked in (False, True):
            manifest = readManifest(self.directory)
            rendered = renderDirectory(self.directory, maskDigits=masked)
            writeManifest(self.directory, withRendering(manifest, rendered))
            self.run_("render", self.directory)
            [event] = readManifest(self.directory)["events"]
            self.assertEqual(event["digit"], None if masked else "5")

    def test_renderHadFailed(self) -> None:
        """
        A recording that only lacked its audio is complete then.
        """
        event = {"time": "2026-01-05T09:00:02.000000Z", "type": "renderFailed", "reason": "x"}
        self.record("incomplete", events=[event])
        self.assertEqual(self.run_("render", self.directory)[0], 0)
        manifest = readManifest(self.directory)
        self.assertEqual((manifest["state"], manifest["events"]), ("complete", [event]))

    def test_incomplete(self) -> None:
        """
        One that lacks packets stays incomplete.
        """
        event = {"time": "2026-01-05T09:00:02.000000Z", "type": "recovered"}
        self.record("incomplete", events=[event])
        self.assertEqual(self.run_("render", self.directory)[0], 0)
        self.assertEqual(readManifest(self.directory)["state"], "incomplete")

    def test_running(self) -> None:
        """
        What a node is still at is left to it.
        """
        for state in ("recording", "finishing"):
            before = self.record(state)
            self.assertIn(f"the recording is {state}", self.error("render", self.directory))
            self.assertEqual(readManifest(self.directory), before)
            self.assertNotIn("audio.wav", os.listdir(self.directory))

    def test_noRecording(self) -> None:
        """
        A directory without a manifest, or none at all, is named.
        """
        self.assertIn(self.directory, self.error("render", self.directory))
        os.makedirs(self.directory)
        self.assertIn("No such file", self.error("render", self.directory))

    def test_badManifest(self) -> None:
        """
        So is one whose manifest is not ours, or lacks what ours have.
        """
        os.makedirs(self.directory)
        for text, why in (
            ("{", "is not JSON"),
            ("{}", "is not of schema 1"),
            ('{"schema": 1}', "the manifest has no 'state'"),
        ):
            with open(os.path.join(self.directory, "recording.json"), "w") as file:
                file.write(text)
            errors = self.error("render", self.directory)
            self.assertIn(why, errors)
            self.assertIn(self.directory, errors)

    def test_renderError(self) -> None:
        """
        What cannot be rendered is said in one line, and changes nothing.
        """
        before = self.record(startTime="never")
        self.assertIn("damaged", self.error("render", self.directory))
        self.assertEqual(readManifest(self.directory), before)

    def test_usage(self) -> None:
        """
        Wrong arguments end with status 2 and the usage; C{--version} tells.
        """
        for arguments in ((), ("render",), ("show",), ("nonsense",)):
            status, _, errors = self.run_(*arguments)
            self.assertEqual(status, 2)
            self.assertIn("usage: siprec", errors)
        self.assertEqual(self.run_("--version"), (0, f"siprec {__version__}\n", ""))


class ShowTests(CommandTestCase):
    """
    C{siprec show DIRECTORY}.
    """

    def test_plot(self) -> None:
        """
        The waveform is drawn into the file that is asked for; if that cannot be, the
        reason is all that is printed.
        """
        self.record()
        path = os.path.join(self.directory, "x.png")
        status, output, errors = self.run_("show", "--plot", path, self.directory)
        self.assertEqual((status, output), (1, ""))
        self.assertIn("there is no audio yet", errors)
        self.run_("render", self.directory)
        status, output, errors = self.run_("show", self.directory, "--plot", path)
        self.assertEqual((status, errors), (0, ""))
        self.assertIn("Streams", output)
        self.assertTrue(os.path.exists(path))

    def test_show(self) -> None:
        """
        A recording is printed, also while it runs, and nothing is changed.
        """
        before = self.record("recording")
        status, output, errors = self.run_("show", self.directory)
        self.assertEqual((status, errors), (0, ""))
        self.assertIn(before["id"], output)
        self.assertIn("Streams", output)
        self.assertNotIn("\x1b", output)
        self.assertEqual(readManifest(self.directory), before)

    def test_noRecording(self) -> None:
        """
        What is no recording is named, as is what it lacks.
        """
        self.assertIn(self.directory, self.error("show", self.directory))
        manifest = self.record()
        del manifest["sip"]
        writeManifest(self.directory, manifest)
        self.assertIn("the manifest has no 'sip'", self.error("show", self.directory))

    def test_plainTerminal(self) -> None:
        """
        A terminal that knows no other letters than ASCII gets escapes, not an error.
        """
        self.record(participants=[{"id": "p", "name": "J\xf8rg", "aor": None, "streams": []}])
        with open(self.mktemp(), "w+", encoding="ascii") as output:
            with contextlib.redirect_stdout(output):
                self.assertEqual(cli.main(["show", self.directory]), 0)
            output.seek(0)
            self.assertIn("J\\xf8rg", output.read())

    def test_readerGone(self) -> None:
        """
        Whoever reads may stop reading.
        """
        self.record()
        reader, writer = os.pipe()
        os.close(reader)
        with open(writer, "w") as output, contextlib.redirect_stdout(output):
            self.assertEqual(cli.main(["show", self.directory]), 0)


class TraceTests(CommandTestCase):
    """
    C{siprec trace}: what it does is tested in L{tests.trace.test_command}.
    """

    def test_noNode(self) -> None:
        """
        Where no node runs, that is said.
        """
        self.assertIn("no node listens there", self.error("trace", "--socket", "/nowhere/x"))

    def test_badConfiguration(self) -> None:
        """
        So is what is wrong with the configuration, or with the command.
        """
        self.assertIn("--config", self.error("trace", "--config", "/nowhere/x"))
        self.assertIn("IP or IP:PORT", self.error("trace", "--peer", "sbc"))
        status, _, errors = self.run_("trace", "--call-id", "a", "--session", "b")
        self.assertEqual(status, 2)
        self.assertIn("not allowed with", errors)

    def test_interrupted(self) -> None:
        """
        Ctrl-C is how it ends, and no error.
        """

        def interrupt(command: object) -> None:
            raise KeyboardInterrupt

        self.patch(TraceCommand, "run", interrupt)
        self.assertEqual(self.run_("trace"), (0, "", ""))


class ExportTests(CommandTestCase):
    """
    C{siprec export}.
    """

    def test_file(self) -> None:
        """
        A file that only its owner reads, and how many packets are in it.
        """
        self.record()
        path = os.path.abspath(self.mktemp())
        status, output, _ = self.run_("export", self.directory, "--pcap", path)
        self.assertEqual((status, output), (0, f"{path}: 75 packets\n"))
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)

    def test_output(self) -> None:
        """
        The same on the standard output.
        """
        self.record()
        output = io.TextIOWrapper(io.BytesIO())
        with contextlib.redirect_stdout(output):
            self.assertEqual(cli.main(("export", self.directory, "--pcap", "-")), 0)
        buffer = output.detach()
        assert isinstance(buffer, io.BytesIO)
        self.assertEqual(len(buffer.getvalue()), 24 + 75 * (16 + 28 + 172))

    def test_nothing(self) -> None:
        """
        Without journals it says so.
        """
        self.record()
        for name in os.listdir(self.directory):
            if name.endswith(".rtpdump"):
                os.unlink(os.path.join(self.directory, name))
        path = os.path.abspath(self.mktemp())
        self.assertIn("no journals", self.error("export", self.directory, "--pcap", path))


class ListenTests(CommandTestCase):
    """
    C{siprec listen}.
    """

    def test_over(self) -> None:
        """
        A recording that is over is refused.
        """
        self.record()
        self.assertIn("the recording is complete", self.error("listen", self.directory))
