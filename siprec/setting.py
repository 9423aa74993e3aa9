"""
What a row in a table of settings is.
"""

from attrs import frozen

from siprec.values import Check

__all__ = ["Setting"]


@frozen
class Setting:
    """
    One key of the configuration.

    @ivar key: C{table.name}, as in the file.
    @ivar option: the command line's long option without its dashes, or C{None}.
    @ivar default: as it would stand in the file.
    @ivar check: makes the setting of a given value, or raises C{ValueError}.
    @ivar meaning: one line for help and documentation.
    """

    key: str
    option: str | None
    default: str | bool | int | float | list[str]
    check: Check
    meaning: str

    @property
    def repeatable(self) -> bool:
        """
        Whether the option may be given several times, each adding to a list.
        """
        return isinstance(self.default, list)
