"""
The C{siprec} command: what an operator does with recordings by hand.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from siprec import __version__
from siprec.config import ConfigError
from siprec.export import ExportError, exportPcap
from siprec.listen.command import ListenError, listen
from siprec.listen.command import addArguments as addListening
from siprec.plot import PlotError, plot
from siprec.render.form import FORMATS, LAYOUTS, Form
from siprec.render.outputs import namesOf
from siprec.render.recording import RenderError, renderDirectory
from siprec.session.manifest import BadManifest, readManifest, withRendering, writeManifest
from siprec.show import show
from siprec.trace.command import TraceCommand, TraceError, addArguments


def _render(directory: str, split: str | None, form: Mapping[str, object]) -> str:
    """
    @param split: C{None}: as it was rendered before.  Digits that were masked stay so.
    @param form: what the audio is to look like, as far as it is not to be as before.
    @return: what was made, for people.
    @raise ValueError: the recording is still running.
    """
    manifest = readManifest(directory)
    if manifest["state"] in ("recording", "finishing"):
        raise ValueError(
            f"the recording is {manifest['state']}: wait for its end; if its node has died,"
            " start that again and it will finish it"
        )
    # One of which only the rendering had failed, or whose journals were with another
    # node, is complete now.
    had = "session" if (manifest["audio"] or {}).get("parts") else "none"
    wanted = Form.read({**Form.of(manifest["audio"]).asked(), **form})
    masked = any(each.get("masked") for each in manifest["events"])
    rendering = renderDirectory(directory, wanted, split=split or had, maskDigits=masked)
    rendered = withRendering(manifest, rendering)
    writeManifest(directory, rendered)
    for name in namesOf(manifest["audio"]) - namesOf(rendered["audio"]):
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(directory, name))
    audio, streams = rendered["audio"], rendered["streams"]
    packets = sum(each["packets"] for each in streams)
    return (
        f"{directory}/{audio['file']}: {rendered['duration']:.3f} s, "
        f"{audio['channels']} channels, {packets} packets"
    )


def _show(directory: str, picture: str | None) -> str:
    """
    @param picture: a file to draw the waveform into.
    @return: the recording, for people.
    """
    manifest = readManifest(directory)
    if picture is not None:
        plot(directory, manifest, picture)
    return show(manifest, emphasis=sys.stdout.isatty())


def _export(directory: str, path: str) -> None:
    """
    @param path: of a pcap file; C{-}: the standard output.
    """
    if path == "-":
        exportPcap(directory, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    # What people said is not for everybody.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:
        count = exportPcap(directory, file)
    _print(f"{path}: {count} packets")


def _print(text: str) -> None:
    # Names of people come in any script, the terminal may know one.
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def _warn(text: str) -> None:
    print(f"siprec: {text}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """
    @param arguments: without the command's name; C{None}: those of the process.
    @return: the exit status: 0, or 1 after an error, which has been printed.
    """
    parser = argparse.ArgumentParser(
        prog="siprec", description="The SIPREC recorder runs as: twistd siprec"
    )
    parser.add_argument("--version", action="version", version=f"siprec {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    render = commands.add_parser("render", help="make the audio of a recording again")
    render.add_argument("directory", help="the recording's directory")
    render.add_argument(
        "--split",
        choices=("none", "session"),
        help="session: also a file for each communication session; as before if not said",
    )
    render.add_argument("--format", choices=tuple(FORMATS), help="as before if not said")
    render.add_argument("--layout", choices=LAYOUTS, help="as before if not said")
    render.add_argument(
        "--peaks",
        action=argparse.BooleanOptionalAction,
        help="whether there is a file to draw the waveform from; as before if not said",
    )
    shown = commands.add_parser("show", help="print a recording: participants, streams, timeline")
    shown.add_argument("directory", help="the recording's directory")
    shown.add_argument("--plot", metavar="FILE.png", help="also draw the waveform into that file")
    addArguments(commands.add_parser("trace", help="show the SIP messages of a running node"))
    exported = commands.add_parser("export", help="write the packets for other programs")
    exported.add_argument("directory", help="the recording's directory")
    exported.add_argument(
        "--pcap", metavar="FILE", required=True, help="the file to make; -: standard output"
    )
    addListening(commands.add_parser("listen", help="play a call that is being recorded"))
    options = parser.parse_args(arguments)
    try:
        if options.command == "listen":
            listen(options, _warn, lambda: sys.stdout.buffer)
        elif options.command == "trace":
            TraceCommand(options, _print, _warn, lambda: sys.stdout.buffer).run()
        elif options.command == "export":
            _export(options.directory, options.pcap)
        elif options.command == "show":
            _print(_show(options.directory, options.plot))
        else:
            form = {name: getattr(options, name) for name in ("format", "layout", "peaks")}
            given = {name: value for name, value in form.items() if value is not None}
            _print(_render(options.directory, options.split, given))
    except KeyboardInterrupt:
        return 0  # it is how a trace ends, or listening
    except BrokenPipeError:
        # Whoever reads has seen enough; nothing more may be written at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (
        OSError,
        BadManifest,
        ConfigError,
        ExportError,
        ListenError,
        PlotError,
        RenderError,
        TraceError,
        ValueError,
    ) as error:
        _warn(str(error))
        return 1
    except KeyError as error:
        print(f"siprec: {options.directory}: the manifest has no {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
