"""
Reads what the AWS CLI and the SDKs answered, and what the CLI was told: one JSON document per source.

`describe-*` and `list-*` of App Mesh, ECS, Elastic Load Balancing, Cloud Map, Route 53 and CloudWatch; bare, as a list,
or wrapped in `{"status_code", "data"}`; times as numbers (CLI v1) or texts (CLI v2). CLI inputs of App Mesh
(`--cli-input-json`) carry a spec and omit what was an argument of the command; it is taken from the file's name or from
`--param FILE:FIELD=VALUE`. Pure.

Sources: the services' API references, output shapes of the operations; AWS CLI User Guide, "Skeletons and input files".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Final

from crossfade.errors import BadInput
from crossfade.mesh.intrinsics import Unknown, Unresolved
from crossfade.mesh.items import MESH_NAMES, Item, Kind
from crossfade.mesh.model import Place
from crossfade.mesh.template import load_yaml
from crossfade.mesh.tree import Tree, lower_camel

EXPORT: Final = "crossfade_export"
"""The key that marks a file which `crossfade export` wrote."""

_ONE: Final[Mapping[str, Kind]] = {
    **{kind.value: kind for kind in MESH_NAMES},
    "taskDefinition": Kind.TASK_DEFINITION,
    "service": Kind.ECS_SERVICE,
    "namespace": Kind.NAMESPACE,
    "distribution": Kind.DISTRIBUTION,
}
"""Answers that hold one resource, by their key in lowerCamel."""

_MANY: Final[Mapping[str, Kind]] = {
    "taskDefinitions": Kind.TASK_DEFINITION,
    "services": Kind.ECS_SERVICE,
    "targetGroups": Kind.TARGET_GROUP,
    "loadBalancers": Kind.LOAD_BALANCER,
    "listeners": Kind.LISTENER,
    "rules": Kind.RULE,
    "metricAlarms": Kind.ALARM,
    "namespaces": Kind.NAMESPACE,
    "resourceRecordSets": Kind.RECORD,
    "hostedZones": Kind.ZONE,
    "distributionSummaries": Kind.DISTRIBUTION,
}
_LISTED: Final[Mapping[str, Kind]] = {
    "meshes": Kind.MESH,
    "virtualNodes": Kind.NODE,
    "virtualRouters": Kind.ROUTER,
    "routes": Kind.ROUTE,
    "virtualServices": Kind.VIRTUAL_SERVICE,
    "virtualGateways": Kind.GATEWAY,
    "gatewayRoutes": Kind.GATEWAY_ROUTE,
}
"""Answers of App Mesh's list operations: names without a spec."""

_WITHOUT_EFFECT: Final = frozenset(
    {"serviceArns", "taskDefinitionArns", "clusterArns", "clusters", "taskArns", "tasks", "taskDefinitionFamilies"}
    | {"attributes", "targetHealthDescriptions", "tags", "tagDescriptions", "resourceTagMappingList", "failures"}
    | {"compositeAlarms", "nextToken", "nextMarker", "responseMetadata", "isTruncated", "maxItems"}
    | {
        "instances",
        "certificates",
        "tagList",
        "marker",
        "paginationToken",
        "serviceRevisions",
        "serviceDeployments",
    }
)
"""Keys of answers that say nothing a plan needs."""

_OWNERS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.ROUTE: ("virtualRouterName",),
    Kind.GATEWAY_ROUTE: ("virtualGatewayName",),
}
_WORDS: Final[Mapping[str, Kind]] = {
    "vn": Kind.NODE,
    "virtualnode": Kind.NODE,
    "node": Kind.NODE,
    "vr": Kind.ROUTER,
    "virtualrouter": Kind.ROUTER,
    "router": Kind.ROUTER,
    "vg": Kind.GATEWAY,
    "vgw": Kind.GATEWAY,
    "virtualgateway": Kind.GATEWAY,
    "gateway": Kind.GATEWAY,
}
_COMMANDS: Final = {
    "mesh": "mesh",
    "virtualNode": "virtual-node",
    "virtualRouter": "virtual-router",
    "route": "route",
    "virtualService": "virtual-service",
    "virtualGateway": "virtual-gateway",
    "gatewayRoute": "gateway-route",
}
Given = Callable[[str], str | None]
"""What the operator gave for a name of one file."""

_VARIABLE: Final = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(slots=True)
class Answers:
    """
    What documents of this form hold together.

    `listed` are the mesh's resources that a list names, each with the place; `unknown` is as in `model.Found`.
    `used` are the parameters that were asked for, `notes` what an export says it could not read.
    """

    items: list[Item] = field(default_factory=list)
    listed: dict[tuple[Kind, tuple[str, ...]], Place] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def refuse_undescribed(self) -> None:
        """
        Refuse a resource that a list names and no source describes: what it does would be lost in silence.

        Raises:
            BadInput: names it and the command that describes it.
        """
        described = {
            (each.kind, _names(each.kind, each.body.mapping())) for each in self.items if each.kind in MESH_NAMES
        }
        for (kind, names), place in self.listed.items():
            if (kind, names) not in described:
                arguments = " ".join(
                    f"--{re.sub('[A-Z]', lambda upper: '-' + upper[0].lower(), name)} {value}"
                    for name, value in zip(_name_fields(kind), names, strict=True)
                )
                raise BadInput(
                    f"{place}: lists {kind.value} {names[-1]}, which no source given describes; add the answer of "
                    f"`aws appmesh describe-{_COMMANDS[kind.value]} {arguments}`"
                )


def is_answer(body: object) -> bool:
    """Return whether a document is one of these."""
    return any(True for _ in _documents(body))


def _documents(body: object) -> Iterator[Mapping[str, object]]:
    """Yield each answer or input inside a document, its keys in lowerCamel."""
    if isinstance(body, list):
        for each in body:
            yield from _documents(each)
    if not isinstance(body, Mapping):
        return
    if isinstance(body.get("data"), Mapping) and "status_code" in body:
        yield from _documents(body["data"])
        return
    if isinstance(body.get("answers"), list) and EXPORT in body:
        yield from _documents(body["answers"])
        return
    if isinstance(body.get("DistributionList"), Mapping):
        yield from _documents({"DistributionSummaries": body["DistributionList"].get("Items") or []})
        return
    low = lower_camel({key: value for key, value in body.items() if key != "Tags"})
    assert isinstance(low, Mapping)
    known = set(_ONE) | set(_MANY) | set(_LISTED) | _WITHOUT_EFFECT
    told = {key for key in set(low) & known if not isinstance(low[key], Mapping) or _says_what(key, low[key])}
    is_answer_of_one = bool(told) and not {"family", "serviceName", "spec"} & set(low)
    is_input = "spec" in low and not {"apiVersion", "kind"} & set(low) and isinstance(low["spec"], Mapping | None)
    if is_answer_of_one or is_input:
        yield low
    elif "containerDefinitions" in low:
        yield {"taskDefinition": low}
    elif "serviceName" in low and "taskDefinition" in low:
        yield {"service": low}


def read_answers(documents: Sequence[tuple[str, object]], parameters: Mapping[str, str]) -> Answers:
    """
    Return what the documents hold.

    Args:
        documents: Each file's path and its content as data.
        parameters: `FILE:FIELD` or `FIELD` gives what a CLI input omits (`virtualRouterName`), `NAME` the value of a
            `$NAME` that stands in it.

    Raises:
        BadInput: a document lacks what it must say.
    """
    found = Answers()
    inputs: list[tuple[str, Mapping[str, object]]] = []
    for path, body in documents:
        if isinstance(body, Mapping) and EXPORT in body and isinstance(body.get("notes"), list):
            found.notes += [f"{path}: {note}" for note in body["notes"]]
        for document in _documents(body):
            if "spec" in document:
                inputs.append((path, document))
            else:
                _read(path, document, found, _giver(path, parameters, found))
    for path, document in inputs:
        _read_input(path, document, parameters, found)
    return found


def _read(path: str, document: Mapping[str, object], found: Answers, given: Given) -> None:
    for key, value in document.items():
        where = Tree(value, Place(path, key))
        if key in _ONE and isinstance(value, Mapping) and _says_what(key, value):
            if _ONE[key] is Kind.TASK_DEFINITION:
                where = Tree(_with_given(_with_containers(where, given), given), where.place)
            found.items.append(Item(_ONE[key], where))
        elif key in _MANY:
            found.items += [Item(_kind(_MANY[key], each), each) for each in where]
        elif key in _LISTED:
            _read_list(_LISTED[key], where, found)


def _with_containers(where: Tree, given: Given) -> dict[str, object]:
    """
    Return a task definition with the containers for which a text stands, as scripts fill them in.

    Raises:
        BadInput: the operator does not give one, or what is given is no container.
    """
    body = dict(where.mapping())
    containers = body.get("containerDefinitions")
    if isinstance(containers, list):
        body["containerDefinitions"] = [
            _container(each, at, where.place, given) if isinstance(each, str) else each
            for at, each in enumerate(containers)
        ]
    return body


def _with_given(value: object, given: Given) -> object:
    """Return a value with each `$NAME` that the operator gives; any other may be meant as it stands."""
    if isinstance(value, Mapping):
        return {str(key): _with_given(item, given) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_given(item, given) for item in value]
    match = _VARIABLE.fullmatch(value) if isinstance(value, str) else None
    known = given(match[1]) if match is not None else None
    return value if known is None else known


def _container(said: str, at: int, place: Place, given: Given) -> object:
    name = said.removeprefix("$")
    text = given(name)
    if text is None:
        raise BadInput(
            f"{place}/containerDefinitions/{at}: {said} stands for a container that something fills in; give it with "
            f"--param '{PurePath(place.file).name}:{name}=JSON', or the answer of `aws ecs describe-task-definition` "
            "instead"
        )
    container = load_yaml(text, f"--param {name}")
    if not isinstance(container, Mapping):
        raise BadInput(f"--param {name}: a container in JSON is needed for {place}/containerDefinitions/{at}")
    return lower_camel(container)


def _says_what(key: str, value: Mapping[str, object]) -> bool:
    """Return whether a word as common as `service` stands for AWS's."""
    needed = {
        "service": {"serviceName"},
        "namespace": {"id", "name"},
        "taskDefinition": {"family"},
        "distribution": {"id", "domainName"},
    }.get(key, set())
    return needed <= set(value)


def _kind(usual: Kind, item: Tree) -> Kind:
    """Return what one of a list is: ECS and Cloud Map both answer with `services`."""
    if usual is Kind.ECS_SERVICE and not item / "serviceName":
        return Kind.CLOUD_MAP_SERVICE
    return usual


def _read_list(kind: Kind, where: Tree, found: Answers) -> None:
    for each in where:
        if each / "spec":
            found.items.append(Item(kind, each))
            continue
        names = _names(kind, each.mapping())
        found.listed.setdefault((kind, names), each.place)


def _name_fields(kind: Kind) -> tuple[str, ...]:
    return tuple(dict.fromkeys(("meshName", *_OWNERS.get(kind, ()), MESH_NAMES[kind])))


def _names(kind: Kind, body: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(str(body.get(name, "")) for name in _name_fields(kind))


# ---------------------------------------------------------------------------- CLI inputs


def _giver(path: str, parameters: Mapping[str, str], found: Answers) -> Given:
    """Return what tells the value that the operator gave for a name in one file."""
    label = PurePath(path).name

    def given(name: str) -> str | None:
        for key in (f"{label}:{name}", name):
            if key in parameters:
                found.used.add(key)
                return parameters[key]
        return None

    return given


def _read_input(path: str, document: Mapping[str, object], parameters: Mapping[str, str], found: Answers) -> None:
    label = PurePath(path).name
    given = _giver(path, parameters, found)
    spec = _filled(document.get("spec") or {}, label, given, found)
    kind = _input_kind(label, document, spec, given)
    body: dict[str, object] = {**document, "spec": spec}
    for name in _name_fields(kind):
        value = body.get(name)
        if not isinstance(value, str) or value.startswith("$"):
            value = given(name) or _implied(name, kind, label, found)
        if value is None:
            raise BadInput(
                f"{path}: an input of the AWS CLI that omits {name}, which was an argument of the command; give "
                f"--param '{label}:{name}=NAME'"
            )
        body[name] = value
    found.items.append(Item(kind, Tree(body, Place(path, kind.value))))


def _implied(name: str, kind: Kind, label: str, found: Answers) -> str | None:
    """Return a name that an input need not give: the one mesh of the sources, and the file's own name."""
    if name == "meshName" and kind is not Kind.MESH:
        meshes = {
            (each.body / "meshName").text_or_none()
            for each in found.items
            if each.kind in MESH_NAMES and each.body / "meshName"
        }
        return meshes.pop() if len(meshes) == 1 else None
    if name == MESH_NAMES[kind] and kind not in (Kind.MESH, Kind.VIRTUAL_SERVICE):
        return PurePath(label).stem
    return None


def _filled(value: object, label: str, given: Given, found: Answers) -> object:
    """Return an input's spec with `$NAME`, as jq and shells write it, filled in or kept as an unknown."""
    if isinstance(value, Mapping):
        return {str(key): _filled(item, label, given, found) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, label, given, found) for item in value]
    match = _VARIABLE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    known = given(match[1])
    if known is not None:
        return known
    why = Unresolved(f"${match[1]} stands for a value", label, f"give --param '{label}:{match[1]}=VALUE'")
    hole = f"${{{match[1]} in {label}}}"
    found.unknown[hole] = str(why)
    return Unknown(hole, why)


def _input_kind(label: str, document: Mapping[str, object], spec: object, given: Given) -> Kind:
    """Return what an input makes: by the names it gives, by its spec, by the words of the file's name."""
    named = set(document)
    for kind in (Kind.GATEWAY_ROUTE, Kind.ROUTE, Kind.NODE, Kind.VIRTUAL_SERVICE, Kind.GATEWAY, Kind.ROUTER):
        if MESH_NAMES[kind] in named:
            return kind
    fields = set(spec) if isinstance(spec, Mapping) else set()
    routes = [key for key in fields if key.endswith("Route")]
    if routes and isinstance(spec, Mapping):
        action = Tree(spec, Place(label, "spec")) / routes[0] / "action"
        return Kind.GATEWAY_ROUTE if action / "target" else Kind.ROUTE
    if "provider" in fields:
        return Kind.VIRTUAL_SERVICE
    if fields & {"serviceDiscovery", "backends"} and "listeners" in fields:
        return Kind.NODE
    words = [_WORDS[word] for word in re.split(r"[^a-z0-9]+", label.lower()) if word in _WORDS]
    if "listeners" in fields and words:
        return words[0]
    if "listeners" not in fields and (fields <= {"egressFilter", "serviceDiscovery"}):
        return Kind.MESH
    told = given("kind")
    if told in set(Kind):
        return Kind(told)
    raise BadInput(
        f"{label}: an input of the AWS CLI that does not say what it makes; give --param "
        f"'{label}:kind=virtualNode', or virtualRouter, or virtualGateway"
    )
