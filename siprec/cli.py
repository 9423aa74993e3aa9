"""
The C{siprec} command: what an operator does with recordings by hand.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from siprec import __version__
from siprec.render.recording import RenderError, renderDirectory
from siprec.session.manifest import BadManifest, readManifest, withRendering, writeManifest


def _render(directory: str) -> str:
    """
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
    rendered = withRendering(manifest, renderDirectory(directory))
    writeManifest(directory, rendered)
    audio, streams = rendered["audio"], rendered["streams"]
    packets = sum(each["packets"] for each in streams)
    return (
        f"{directory}/{audio['file']}: {rendered['duration']:.3f} s, "
        f"{audio['channels']} channels, {packets} packets"
    )


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
    options = parser.parse_args(arguments)
    try:
        print(_render(options.directory))
    except (OSError, BadManifest, RenderError, ValueError) as error:
        print(f"siprec: {error}", file=sys.stderr)
        return 1
    except KeyError as error:
        print(f"siprec: {options.directory}: the manifest has no {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
