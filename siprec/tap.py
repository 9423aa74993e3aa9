"""
C{twistd siprec}: options and the making of the service.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from twisted.application.service import IService
from twisted.python import usage

from siprec.config import SETTINGS, ConfigError, Settings, loadSettings
from siprec.garbage import undisturbed

__all__ = ["Options", "makeService"]


class Options(usage.Options):
    """
    Options of C{twistd siprec}.  Each overrides its key in the TOML file.
    """

    settings: Settings

    optParameters = [
        ["config", "c", None, "Configuration file (TOML)."],
        *(
            [each.option, None, None, each.meaning]
            for each in SETTINGS
            if each.option is not None and not each.repeatable
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._repeated: dict[str, list[str]] = {}
        self._overrides: dict[str, object] = {}

    def opt_sip(self, listen: str) -> None:
        """
        Where to listen: udp:PORT[:interface=IP], or Twisted's tcp: and ssl:
        strings.  May be given several times.
        """
        self._repeated.setdefault("sip", []).append(listen)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """
        Parse a command line.

        @raise SystemExit: it is wrong, or the configuration is.  twistd would
            print a usage error below all of its help and end with status 0.
        """
        try:
            super().parseOptions(None if options is None else list(options))
        except usage.UsageError as error:
            raise SystemExit(f"siprec: {error}") from error

    def reread(self) -> Settings:
        """
        @return: what the configuration says now; options win over it.
        @raise ConfigError: it cannot be used.
        """
        return loadSettings(self["config"], self._overrides)

    def postOptions(self) -> None:
        """
        Read the configuration.

        @raise usage.UsageError: it is wrong.
        """
        given = {**self, **self._repeated}
        self._overrides = {
            each.key: given[each.option]
            for each in SETTINGS
            if each.option is not None and given.get(each.option) is not None
        }
        try:
            self.settings = self.reread()
        except ConfigError as error:
            raise usage.UsageError(str(error)) from error


def makeService(options: Options) -> IService:
    """
    Load the program; with a configuration that cannot be used it has not come to that.

    @return: the node, to be started by twistd.
    @raise SystemExit: a file that the configuration names cannot be used.
    """
    # Else half of what loading numpy takes is a thread for each core, which wait for
    # matrices to be multiplied; there are none.  Its processes inherit it.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with undisturbed():
        from twisted.internet import reactor

        from siprec.program import makeProgram

    twistd = options.parent
    daemon = twistd is not None and not twistd["nodaemon"]
    try:
        return makeProgram(reactor, options.settings, daemon, options.reread)
    except ConfigError as error:
        raise SystemExit(f"siprec: {error}") from error
