"""IAM: who may assume a role."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from crossfade.errors import EcsBusy
from crossfade.throttles import asking


class IamRoles:
    """`Roles` from GetRole."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def trusted_services(self, arn: str) -> frozenset[str] | None:
        """See `Roles`."""
        try:
            with asking("GetRole", EcsBusy):
                document = self._client.get_role(RoleName=arn.rpartition("/")[2])["Role"]["AssumeRolePolicyDocument"]
        except self._client.exceptions.NoSuchEntityException:
            return None
        trust = json.loads(unquote(document)) if isinstance(document, str) else document
        return frozenset(
            service
            for statement in _listed(trust.get("Statement"))
            if statement.get("Effect") == "Allow" and isinstance(statement.get("Principal"), dict)
            for service in _listed(statement["Principal"].get("Service"))
        )


def _listed(one_or_many: Any) -> list[Any]:
    if one_or_many is None:
        return []
    return one_or_many if isinstance(one_or_many, list) else [one_or_many]
