"""
Tests of L{siprec.metadata.vendortable}: what holds for every row.
"""

import re

from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.vendortable import GENERIC_HEADERS, NICE_NAMES, VENDORS, XML_FIELDS


class TableTests(SynchronousTestCase):
    """
    The rows.
    """

    def test_headersInLowerCase(self) -> None:
        """
        Header names are looked up in lower case.
        """
        for vendor in VENDORS:
            for key, names in vendor.fields:
                self.assertTrue(names, key)
                for name in names:
                    self.assertRegex(name, r"^[a-z0-9-]+(;[a-z-]+)?$")
            for name in (*vendor.ucids, *vendor.evidence):
                self.assertEqual(name, name.lower())
        for name in GENERIC_HEADERS:
            self.assertEqual(name, name.lower())

    def test_keysAreUnique(self) -> None:
        """
        No two rows fill one field.
        """
        keys = [key for vendor in VENDORS for key, _ in vendor.fields]
        self.assertEqual(len(keys), len(set(keys)))
        types = [vendor.type for vendor in VENDORS]
        self.assertEqual(len(types), len(set(types)))

    def test_evidenceIsNotShared(self) -> None:
        """
        A header that speaks for a vendor speaks for no other.
        """
        evidence = [(vendor.type, prefix) for vendor in VENDORS for prefix in vendor.evidence]
        for type, prefix in evidence:
            for other, start in evidence:
                if type != other:
                    self.assertFalse(prefix.startswith(start), (prefix, start))

    def test_namespacesDoNotOverlap(self) -> None:
        """
        Nor does a namespace.
        """
        for namespace, expected in (
            ("http://acmepacket.com/siprec/extensiondata", "oracle"),
            ("http:/acmepacket.com/siprec/extensiondata", "oracle"),
            ("http://audiocodes", "audiocodes"),
            ("http://schema.broadsoft.com/broadworkscallrecording", "broadworks"),
            ("urn:ietf:params:xml:ns:calldata", "ribbon"),
            ("https://schemas.nice.com:8443/x", "nice"),
            ("http://venice.com/x", None),
            ("http://x/nice.com", None),
            ("urn:acmepacket.com", None),
        ):
            found = [
                vendor.type
                for vendor in VENDORS
                if vendor.namespace and vendor.namespace.fullmatch(namespace)
            ]
            self.assertEqual(found, [expected] if expected else [], namespace)

    def test_agents(self) -> None:
        """
        Patterns match from the beginning of a product and are lower case.
        """
        for vendor in VENDORS:
            self.assertIsInstance(vendor.agent, re.Pattern)
            self.assertEqual(vendor.agent.pattern, vendor.agent.pattern.lower())

    def test_xmlNames(self) -> None:
        """
        Names of extension data are compared without case and punctuation.
        """
        types = {vendor.type for vendor in VENDORS}
        for (type, name), (key, _) in XML_FIELDS.items():
            self.assertIn(type, types)
            self.assertRegex(name + "/" + key, r"^[a-z]+/[a-z_]+$")
        for name in NICE_NAMES:
            self.assertRegex(name, r"^[a-z]+$")
