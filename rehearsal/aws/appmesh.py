"""
AWS App Mesh in the embedded AWS: every kind of resource, kept exactly as it was given.

App Mesh is regular: seven kinds, each created, described, updated, deleted and listed alike, so one table answers
all of it. A spec comes back as it went in; ARNs, owners, versions and times are AWS's. Names that are taken, parents
that are missing, resources in use, and values outside the limits of the API model are refused.
"""

from __future__ import annotations

import functools
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import botocore.session

from rehearsal.aws.clock import clock
from rehearsal.aws.registry import Call, add_paths, on_reset, operation

_BASE: Final = r"/v20190125/meshes/(?P<meshName>[^/]+)/virtualServices"
add_paths("appmesh", _BASE + "$", _BASE + r"/(?P<virtualServiceName>[^/]+)$", "/v20190125/untag$")

_model = botocore.session.get_session().get_service_model("appmesh")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of resource: how AWS spells it, its plural, and the kinds its name is unique within."""

    name: str
    plural: str
    within: tuple[str, ...]

    @property
    def member(self) -> str:
        """The member that holds one: `virtualNode`."""
        return self.name[0].lower() + self.name[1:]


_KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("Mesh", "Meshes", ()),
        Kind("VirtualService", "VirtualServices", ("mesh",)),
        Kind("VirtualNode", "VirtualNodes", ("mesh",)),
        Kind("VirtualRouter", "VirtualRouters", ("mesh",)),
        Kind("VirtualGateway", "VirtualGateways", ("mesh",)),
        Kind("Route", "Routes", ("mesh", "virtualRouter")),
        Kind("GatewayRoute", "GatewayRoutes", ("mesh", "virtualGateway")),
    )
}


@dataclass(slots=True)
class Resource:
    """One resource of a mesh. `names` are its own and its parents', by member (`meshName`, …)."""

    kind: Kind
    arn: str
    names: Mapping[str, str]
    spec: Any
    token: str | None
    owner: str
    created_at: datetime
    updated_at: datetime
    version: int = 1
    uid: str = field(default_factory=lambda: str(uuid.uuid4()))
    tags: dict[str, str] = field(default_factory=dict)

    def describe(self, status: str = "ACTIVE") -> dict[str, Any]:
        """Answer what Describe answers."""
        metadata = {**self._metadata(), "uid": self.uid}
        return {self.kind.member: {**self.names, "spec": self.spec, "metadata": metadata, "status": {"status": status}}}

    def brief(self) -> dict[str, Any]:
        """Answer what List answers."""
        return {**self.names, **self._metadata()}

    def _metadata(self) -> dict[str, Any]:
        return {
            "arn": self.arn,
            "createdAt": self.created_at,
            "lastUpdatedAt": self.updated_at,
            "meshOwner": self.owner,
            "resourceOwner": self.owner,
            "version": self.version,
        }


_resources: dict[str, Resource] = {}  # by ARN; regions and accounts are part of it
_lock = threading.RLock()


@on_reset
def forget() -> None:
    """Forget every mesh."""
    with _lock:
        _resources.clear()


def _create(call: Call, kind: Kind) -> dict[str, Any]:
    arn = _arn(call, kind)
    _check_limits(call)
    spec = call.params.get("spec", {})
    token = call.params.get("clientToken")
    with _lock:
        if parent := _parent(arn):
            _found(call, parent)
        known = _resources.get(arn)
        if known is not None:
            if token is not None and (known.token, known.spec) == (token, spec):
                return known.describe()
            raise call.error("ConflictException", f"{kind.name} with name {_own_name(call, kind)} already exists.")
        now = clock.now()
        _resources[arn] = Resource(
            kind=kind,
            arn=arn,
            names={f"{each}Name": call.params[f"{each}Name"] for each in (*kind.within, kind.member)},
            spec=spec,
            token=token,
            owner=call.account,
            created_at=now,
            updated_at=now,
            tags={each["key"]: each.get("value", "") for each in call.params.get("tags", [])},
        )
        return _resources[arn].describe()


def _change(call: Call, kind: Kind) -> dict[str, Any]:
    arn = _arn(call, kind)
    with _lock:
        resource = _found(call, arn)
        if call.action.startswith("Update"):
            _check_limits(call)
            resource.spec = call.params.get("spec", {})
            resource.version += 1
            resource.updated_at = clock.now()
        if call.action.startswith("Delete"):
            _check_unused(call, resource)
            del _resources[arn]
            return resource.describe("DELETED")
        return resource.describe()


def _list(call: Call, kind: Kind) -> dict[str, Any]:
    prefix = _arn(call, kind, name="")
    with _lock:
        if parent := _parent(prefix.rstrip("/") + "/-"):
            _found(call, parent)
        found = [
            each.brief()
            for arn, each in sorted(_resources.items())
            if each.kind is kind and arn.startswith(prefix) and "/" not in arn[len(prefix) :]
        ]
    start, most = int(call.params.get("nextToken", "0")), call.params.get("limit", 100)
    if not 1 <= most <= 100:  # noqa: PLR2004  (the API's own limit)
        raise call.error("BadRequestException", "limit must be between 1 and 100.")
    more = start + most < len(found)
    member = kind.plural[0].lower() + kind.plural[1:]
    return {member: found[start : start + most], **({"nextToken": str(start + most)} if more else {})}


for _kind in _KINDS.values():
    operation("appmesh", f"Create{_kind.name}")(functools.partial(_create, kind=_kind))
    operation("appmesh", f"List{_kind.plural}")(functools.partial(_list, kind=_kind))
    for _verb in ("Describe", "Update", "Delete"):
        operation("appmesh", f"{_verb}{_kind.name}")(functools.partial(_change, kind=_kind))


@operation("appmesh", "TagResource", "UntagResource", "ListTagsForResource")
def tags(call: Call) -> dict[str, Any]:
    """Keep the tags of any resource."""
    with _lock:
        resource = _found(call, call.params["resourceArn"])
        if call.action == "TagResource":
            resource.tags |= {each["key"]: each.get("value", "") for each in call.params["tags"]}
        elif call.action == "UntagResource":
            resource.tags = {key: value for key, value in resource.tags.items() if key not in call.params["tagKeys"]}
        else:
            return {"tags": [{"key": key, "value": value} for key, value in resource.tags.items()]}
    return {}


# -- names and refusals -------------------------------------------------------


def _own_name(call: Call, kind: Kind) -> str:
    return str(call.params[f"{kind.member}Name"])


def _arn(call: Call, kind: Kind, *, name: str | None = None) -> str:
    parents = "".join(f"{each}/{call.params[f'{each}Name']}/" for each in kind.within)
    own = _own_name(call, kind) if name is None else name
    return f"arn:aws:appmesh:{call.region}:{call.account}:{parents}{kind.member}/{own}"


def _parent(arn: str) -> str | None:
    """Answer the ARN of what a resource stands in, None for a mesh."""
    head, _, _ = arn.rpartition("/")
    head, _, _ = head.rpartition("/")
    return head if "/" in head else None


def _found(call: Call, arn: str) -> Resource:
    if arn not in _resources:
        raise call.error("NotFoundException", f"The resource {arn.rpartition(':')[2]} was not found.")
    return _resources[arn]


def _check_unused(call: Call, resource: Resource) -> None:
    if inside := [arn for arn in _resources if arn.startswith(f"{resource.arn}/")]:
        raise call.error("ResourceInUseException", f"{resource.arn} cannot be deleted: it holds {inside[0]}.")
    if resource.kind.member not in ("virtualNode", "virtualRouter"):
        return
    name = resource.names[f"{resource.kind.member}Name"]
    for other in _resources.values():
        if other.kind.name != "VirtualService" or other.names["meshName"] != resource.names["meshName"]:
            continue
        provider = (other.spec or {}).get("provider", {}).get(resource.kind.member, {})
        if provider.get(f"{resource.kind.member}Name") == name:
            raise call.error(
                "ResourceInUseException", f"{resource.arn} cannot be deleted: {other.arn} is provided by it."
            )


def _check_limits(call: Call) -> None:
    shape = _model.operation_model(call.action).input_shape
    if problem := _beyond(shape, call.params, ""):
        raise call.error("BadRequestException", problem)


def _beyond(shape: Any, value: Any, where: str) -> str | None:
    """Answer which value is outside the limits of the API model; botocore itself checks lower bounds only."""
    if shape.type_name == "structure":
        problems = (
            _beyond(member, value[name], f"{where}.{name}") for name, member in shape.members.items() if name in value
        )
        return next((problem for problem in problems if problem), None)
    if getattr(shape, "enum", None) and value not in shape.enum:
        return f"{where[1:]} must be one of {', '.join(shape.enum)}."
    size = len(value) if shape.type_name in ("list", "string", "map") else value
    most = shape.metadata.get("max")
    if most is not None and size > most:
        return f"{where[1:]} is above the limit of {most}."
    if shape.type_name == "list":
        problems = (_beyond(shape.member, each, f"{where}[{index}]") for index, each in enumerate(value))
        return next((problem for problem in problems if problem), None)
    return None
