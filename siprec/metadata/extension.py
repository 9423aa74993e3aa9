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
#: How many extensions there may be: some in any document, and more in a long one.  Those
#: that say something have more octets than that.
_FREE, _OCTETS = 64, 48
_LONGEST_PATH = 256


@lru_cache(4096)
def splitTag(tag: str) -> tuple[str, str]:
    """
    @return: namespace and local name of a tag or attribute in lxml's notation;
        an undeclared prefix, which the recovering parser leaves, is dropped.
    """
    namespace, _, name = tag.rpartition("}")
    return namespace[1:], name.rpartition(":")[2]


@define(eq=False, repr=False)
class ExtensionReader:
    """
    Reads the extensions of one document and keeps count of what they cost.

    @ivar length: of the document, in octets.
    @ivar truncated: something was left out because the document has too much.
    """

    length: int = 1 << 20
    truncated: bool = False
    _count: int = 0
    _characters: int = 0
    _fields: int = 0

    def read(self, element: etree._Element) -> Extension | None:
        """
        @return: C{None} if the document's extensions are already too large.
        """
        self._count += 1
        if self._characters > _MOST_CHARACTERS or self._count > _FREE + self.length // _OCTETS:
            self.truncated = True
            return None
        xml = etree.tostring(element, encoding="unicode", with_tail=False)
        self._characters += len(xml)
        namespace, name = splitTag(str(element.tag))
        fields: list[tuple[str, str]] = []
        self._flatten(element, name, fields)
        return Extension(namespace, name, xml, tuple(fields))

    def _flatten(self, element: etree._Element, path: str, fields: list[tuple[str, str]]) -> None:
        # It goes no deeper than readTree allows.
        if self._fields >= _MOST_FIELDS or len(path) > _LONGEST_PATH:
            self.truncated = True
            return
        before = len(fields)
        attributes = element.items()
        text = element.text
        text = "" if text is None else text.strip()
        # An empty leaf says something by being there at all.
        if text or not (attributes or len(element)):
            fields.append((path, text))
        for attribute, value in attributes:
            fields.append((f"{path}@{splitTag(str(attribute))[1]}", str(value)))
        self._fields += len(fields) - before
        for child in element:
            tag = child.tag
            if isinstance(tag, str):
                self._flatten(child, f"{path}/{splitTag(tag)[1]}", fields)
