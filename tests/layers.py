"""
The layers of the program, as C{pyproject.toml} tells them to the import linter.
"""

import pkgutil
import tomllib
from pathlib import Path

__all__ = ["allModules", "layers", "pureModules"]

_ROOT = Path(__file__).resolve().parent.parent


def layers() -> list[list[str]]:
    """
    @return: the modules, or whole packages, of each layer, the highest first.
    """
    document = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = document["tool"]["importlinter"]["contracts"]
    (rows,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [[name.strip() for name in row.split(":")] for row in rows]


def allModules() -> list[str]:
    """
    @return: the name of every module that there is, without importing any of
        them; a package counts by what is in it.
    """
    return sorted(_walk(_ROOT / "siprec", "siprec."))


def pureModules() -> list[str]:
    """
    @return: the modules of the two lowest layers, which know no Twisted.
    """
    pure = [name for layer in layers()[-2:] for name in layer]
    return [
        module
        for module in allModules()
        if any(module == name or module.startswith(f"{name}.") for name in pure)
    ]


def _walk(folder: Path, prefix: str) -> list[str]:
    names: list[str] = []
    for found in pkgutil.iter_modules([str(folder)], prefix):
        if found.ispkg:
            names.extend(_walk(folder / found.name.rpartition(".")[2], f"{found.name}."))
        else:
            names.append(found.name)
    return names
