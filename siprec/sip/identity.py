"""
Who a certificate is of (RFC 5922 section 7).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from cryptography import x509

from siprec.sip.errors import BadURI
from siprec.sip.matching import isAddress, plainHost
from siprec.sip.uri import SipURI, parseURI

__all__ = ["identifies", "identities"]


def identities(certificate: x509.Certificate) -> tuple[str, ...]:
    """
    Read the domains that a certificate is of (RFC 5922 section 7.1): those of
    SIP URIs without a user, or the DNS names if there are no such; the common
    name only where no alternative name stands at all.

    @return: host names in lower case; never one with a wildcard, as that is no
        identity in SIP.
    """
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return _plain(str(each.value) for each in names)
    except ValueError:
        # What the authority has signed there cannot be read.
        return ()
    alternatives = found.value
    uris = alternatives.get_values_for_type(x509.UniformResourceIdentifier)
    domains = _plain(_domain(each) for each in uris)
    return domains or _plain(alternatives.get_values_for_type(x509.DNSName))


def identifies(certificate: x509.Certificate, host: str, others: Collection[str] = ()) -> bool:
    """
    @param host: a name or an IP address that was connected to.
    @param others: names in lower case, as one of which the host may show itself
        as well.
    @return: whether the certificate is of this host.  One for an IP address
        must name that, as RFC 5922 knows names only.
    """
    wanted = plainHost(host).rstrip(".")
    if not set(identities(certificate)).isdisjoint((wanted, *others)):
        return True
    return isAddress(wanted) and wanted in _addresses(certificate)


def _addresses(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return []
    return [str(each) for each in found.value.get_values_for_type(x509.IPAddress)]


def _domain(uri: str) -> str:
    try:
        found = parseURI(uri)
    except BadURI:
        return ""
    # One with a user is of that user alone.
    return found.host if isinstance(found, SipURI) and found.user is None else ""


def _plain(names: Iterable[str]) -> tuple[str, ...]:
    plain = (name.lower().rstrip(".") for name in names)
    return tuple(name for name in plain if name and "*" not in name)
