"""
Extension data: elements of a metadata document that the schema does not name,
kept as XML and flattened (RFC 7865 section 5.3).
"""

from functools import lru_cache

from attrs import define
from lxml import etree

from siprec.metadata.model import Extension

__all__ = ["ExtensionReader", "splitTag"]

#: What one document may put into memory: a hostile one can make each copied
#: element repeat a long namespace declaration.  The raw document is on disk.
_MOST_CHARACTERS = 4 << 20
_MOST_FIELDS = 4096
_LONGEST_PATH = 256


@lru_cache(4096)
def splitTag(tag: str) -> tuple[str, str]:
    """
    @return: namespace and local name of a tag or attribute in lxml's notation;
        an undeclared prefix, which the recovering parser leaves, is dropped.
    """
    namespace, _, name = tag.rpartition("}")
    return namespace[1:], name.rpartition(":")[2]


@define
class ExtensionReader:
    """
    Reads the extensions of one document and keeps count of what they cost.

    @ivar truncated: something was left out because the document has too much.
    """

    truncated: bool = False
    _characters: int = 0
    _fields: int = 0

    def read(self, element: etree._Element) -> Extension | None:
        """
        @return: C{None} if the document's extensions are already too large.
        """
        if self._characters > _MOST_CHARACTERS:
            self.truncated = True
            return None
        xml = etree.tostring(element, encoding="unicode", with_tail=False)
        self._characters += len(xml)
        namespace, name = splitTag(str(element.tag))
        return Extension(namespace, name, xml, tuple(self._flatten(element, name)))

    def _flatten(self, top: etree._Element, name: str) -> list[tuple[str, str]]:
        fields: list[tuple[str, str]] = []
        pending = [(name, top)]
        while pending:
            path, element = pending.pop()
            if self._fields >= _MOST_FIELDS or len(path) > _LONGEST_PATH:
                self.truncated = True
                continue
            children = [
                (f"{path}/{splitTag(child.tag)[1]}", child)
                for child in element
                if isinstance(child.tag, str)
            ]
            attributes = element.items()
            text = (element.text or "").strip()
            # An empty leaf says something by being there at all.
            if text or not (children or attributes):
                fields.append((path, text))
                self._fields += 1
            for attribute, value in attributes:
                fields.append((f"{path}@{splitTag(str(attribute))[1]}", str(value)))
                self._fields += 1
            pending += reversed(children)
        return fields
