"""Plans in an S3 bucket, versioned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from crossfade.errors import BadInput, JournalBusy
from crossfade.plan.store import PlanRef
from crossfade.throttles import asking

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ABSENT = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "InvalidArgument", "MethodNotAllowed"})
"""InvalidArgument is S3's answer to a version id that is none; MethodNotAllowed to a delete marker's."""


class S3PlanStore:
    """`PlanStore` on S3."""

    def __init__(self, client: S3Client) -> None:
        self._client = client

    def get(self, ref: PlanRef) -> bytes:
        """See `PlanStore`."""
        try:
            with asking("the plan's bucket", JournalBusy):
                if ref.version is None:
                    return self._client.get_object(Bucket=ref.bucket, Key=ref.key)["Body"].read()
                return self._client.get_object(Bucket=ref.bucket, Key=ref.key, VersionId=ref.version)["Body"].read()
        except ClientError as refused:
            code = refused.response["Error"]["Code"]
            if code in _ABSENT:
                version = f", version {ref.version}" if ref.version else ""
                raise BadInput(f"there is no plan at s3://{ref.bucket}/{ref.key}{version} ({code})") from refused
            raise
