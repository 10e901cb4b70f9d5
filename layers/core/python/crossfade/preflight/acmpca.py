"""AWS Private CA: the authority that Service Connect's certificates come from."""

from __future__ import annotations

from typing import Any

from crossfade.errors import EcsBusy
from crossfade.preflight.surroundings import Authority
from crossfade.throttles import asking


class PrivateAuthorities:
    """`Authorities` from DescribeCertificateAuthority and ListTags."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def authority(self, arn: str) -> Authority | None:
        """See `Authorities`."""
        gone = (self._client.exceptions.ResourceNotFoundException, self._client.exceptions.InvalidArnException)
        try:
            with asking("DescribeCertificateAuthority", EcsBusy):
                found = self._client.describe_certificate_authority(CertificateAuthorityArn=arn)
            with asking("ListTags", EcsBusy):
                tags = self._client.list_tags(CertificateAuthorityArn=arn)["Tags"]
        except gone:
            return None
        return Authority(
            status=found["CertificateAuthority"]["Status"], tags={tag["Key"]: tag.get("Value", "") for tag in tags}
        )
