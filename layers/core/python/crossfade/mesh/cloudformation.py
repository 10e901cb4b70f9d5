"""
Reads CloudFormation templates: YAML with short tags or JSON, several stacks at once.

Conditions, mappings, parameters and exports across the given stacks are resolved as
CloudFormation would. What files alone cannot know (a generated name, a parameter without a
default) is kept as an unknown; only a plan that would need it is refused, and the refusal
says how to supply it.

Sources: AWS CloudFormation User Guide, "Template anatomy"; each resource type's "Return
values"; Service-to-physical names as in the resource types' Name properties.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Final

from crossfade.errors import BadInput
from crossfade.mesh import shape
from crossfade.mesh.intrinsics import NO_VALUE, Unknown, Unresolved, holds, resolve
from crossfade.mesh.model import Beside, CloudMapService, Found, Namespace, Place, merge
from crossfade.mesh.template import load_template
from crossfade.mesh.tree import Tree, lower_camel

__all__ = ["Template", "load_template", "read_templates"]


@dataclass(frozen=True, slots=True)
class Template:
    """One stack's template as data, and the path it came from."""

    path: str
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Kind:
    """
    How CloudFormation names one type of resource.

    `name` is the property that holds its name and `arn` the tail of its ARN, where `{name}`
    is that name, `{id}` its logical id and other fields are properties. `fixed` says that
    the logical id may stand in for a generated name: the mesh's names matter only inside
    the sources. `by_name` says that Ref gives the name and not the ARN.
    """

    name: str | None
    arn: str
    fixed: bool = False
    by_name: bool = False


_MESH: Final = "arn:${AWS.Partition}:appmesh:${AWS.Region}:${AWS.AccountId}:mesh/{MeshName}"
_ECS: Final = "arn:${AWS.Partition}:ecs:${AWS.Region}:${AWS.AccountId}"
_ELB: Final = "arn:${AWS.Partition}:elasticloadbalancing:${AWS.Region}:${AWS.AccountId}"
_MAP: Final = "arn:${AWS.Partition}:servicediscovery:${AWS.Region}:${AWS.AccountId}"

_KINDS: Final[Mapping[str, _Kind]] = {
    "AWS::AppMesh::Mesh": _Kind("MeshName", _MESH, fixed=True),
    "AWS::AppMesh::VirtualNode": _Kind("VirtualNodeName", _MESH + "/virtualNode/{name}", fixed=True),
    "AWS::AppMesh::VirtualRouter": _Kind("VirtualRouterName", _MESH + "/virtualRouter/{name}", fixed=True),
    "AWS::AppMesh::Route": _Kind("RouteName", _MESH + "/virtualRouter/{VirtualRouterName}/route/{name}", fixed=True),
    "AWS::AppMesh::VirtualService": _Kind("VirtualServiceName", _MESH + "/virtualService/{name}", fixed=True),
    "AWS::AppMesh::VirtualGateway": _Kind("VirtualGatewayName", _MESH + "/virtualGateway/{name}", fixed=True),
    "AWS::AppMesh::GatewayRoute": _Kind(
        "GatewayRouteName", _MESH + "/virtualGateway/{VirtualGatewayName}/gatewayRoute/{name}", fixed=True
    ),
    "AWS::ECS::Cluster": _Kind("ClusterName", _ECS + ":cluster/{name}", by_name=True),
    "AWS::ECS::Service": _Kind("ServiceName", _ECS + ":service/{name}"),
    "AWS::ECS::TaskDefinition": _Kind("Family", _ECS + ":task-definition/{name}:1"),
    "AWS::ElasticLoadBalancingV2::TargetGroup": _Kind("Name", _ELB + ":targetgroup/{name}/{id}"),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": _Kind("Name", _ELB + ":loadbalancer/{kind}/{name}/{id}"),
    "AWS::ElasticLoadBalancingV2::Listener": _Kind(None, _ELB + ":listener/{id}", fixed=True),
    "AWS::ElasticLoadBalancingV2::ListenerRule": _Kind(None, _ELB + ":listener-rule/{id}", fixed=True),
    "AWS::ServiceDiscovery::Service": _Kind("Name", _MAP + ":service/srv-{id}"),
    "AWS::ServiceDiscovery::PrivateDnsNamespace": _Kind("Name", _MAP + ":namespace/ns-{id}"),
    "AWS::ServiceDiscovery::PublicDnsNamespace": _Kind("Name", _MAP + ":namespace/ns-{id}"),
    "AWS::ServiceDiscovery::HttpNamespace": _Kind("Name", _MAP + ":namespace/ns-{id}"),
    "AWS::Route53::RecordSet": _Kind("Name", "{name}", by_name=True),
    "AWS::CloudWatch::Alarm": _Kind("AlarmName", "{name}", by_name=True),
    "AWS::CloudWatch::CompositeAlarm": _Kind("AlarmName", "{name}", by_name=True),
}

_NESTED: Final = {"AWS::CloudFormation::Stack": "TemplateURL", "AWS::Serverless::Application": "Location"}
"""Types of resources that are stacks, and the property that names their template."""

_NAMES: Final = {"TargetGroupName": "Name", "LoadBalancerName": "Name", "ServiceName": "ServiceName"}
"""GetAtt attributes that hold a resource's name under another word than its property."""


def read_templates(
    templates: Sequence[Template], parameters: Mapping[str, str], elsewhere: Collection[str] = ()
) -> Found:
    """
    Return what the templates hold, as one account would hold it.

    Args:
        templates: The stacks, in any order.
        parameters: Values by `NAME` or, where several stacks share a name, `FILE:NAME`.
            NAME is a parameter, a pseudo parameter such as AWS::Region, or a logical id
            (then the value is the resource's physical name); `Import:EXPORT` stands for
            an export of a stack that is not given.
        elsewhere: The keys of `parameters` that other sources have used.

    Raises:
        BadInput: something is not as CloudFormation has it, or a parameter is given that
            no template knows.
    """
    account = _Account(templates, parameters)
    parts = [_Reader(stack, account).read() for stack in account.stacks]
    account.refuse_unused(elsewhere)
    return account.gather(parts)


class _Account:
    """The stacks together: what they export, what the operator gave, and what stays unknown."""

    def __init__(self, templates: Sequence[Template], parameters: Mapping[str, str]) -> None:
        self.unknown = {f"${{AWS.{name}}}": _pseudo_unknown(name) for name in ("Partition", "Region", "AccountId")}
        self._given = dict(parameters)
        self._used: set[str] = set()
        labels = _labels([template.path for template in templates])
        self.stacks = [_Stack(template, label, self) for template, label in zip(templates, labels, strict=True)]
        self._nest()
        self._exports: dict[str, list[_Export]] = {}
        self._listeners: dict[str, tuple[_Stack, str]] | None = None
        for stack in self.stacks:
            for export in stack.exports():
                self._exports.setdefault(export.name, []).append(export)

    def _nest(self) -> None:
        """Tell each nested stack, among the templates, which resource of which other one makes it."""
        by_file = {PurePath(stack.path).name: stack for stack in self.stacks}
        for stack in self.stacks:
            for name, files in stack.nested():
                child = next((by_file[file] for file in files if file in by_file), None)
                if child is not None and child is not stack:
                    stack.children[name] = child
                    child.parent = (stack, name)

    def given(self, label: str, name: str) -> str | None:
        """Return what the operator gave for a name of one stack, None when nothing."""
        for key in (f"{label}:{name}", name):
            if key in self._given:
                self._used.add(key)
                return self._given[key]
        return None

    def hole(self, token: str, why: Unresolved) -> Unknown:
        """Return a text for something unknown, safe inside names and ARNs, and remember why it is."""
        text = f"${{{token.replace('/', '.').replace(':', '.')}}}"
        self.unknown[text] = str(why)
        return Unknown(text, why)

    def import_value(self, name: str) -> object:
        """Return what one of the stacks exports under `name`."""
        exports = self._exports.get(name, [])
        if len(exports) == 1:
            return exports[0].value()
        given = self._given.get(f"Import:{name}")
        if given is not None:
            self._used.add(f"Import:{name}")
            return given
        if exports:
            files = " and ".join(export.stack.label for export in exports)
            raise Unresolved(f"the export {name} comes from {files}", mend="give only one of them")
        raise Unresolved(
            f"no template given exports {name}",
            mend=f"add the one that does, or give --param 'Import:{name}=VALUE'",
        )

    def listener(self, arn: str) -> tuple[_Stack, str] | None:
        """Return the stack and logical id of the listener of this ARN."""
        if self._listeners is None:
            self._listeners = {
                stack.arn(name): (stack, name)
                for stack in self.stacks
                for name in stack.resources
                if stack.kind(name) == "AWS::ElasticLoadBalancingV2::Listener"
            }
        return self._listeners.get(arn)

    def refuse_unused(self, elsewhere: Collection[str]) -> None:
        """Refuse parameters that no template asked for: they are mistyped."""
        known = {name for stack in self.stacks for name in stack.names()}
        unused = sorted(
            key
            for key in self._given
            if key not in self._used and key not in elsewhere and key.rpartition(":")[2].partition(".")[0] not in known
        )
        if unused:
            raise BadInput(f"--param {unused[0]}: no template given, nor any other source, has a name like this")

    def gather(self, parts: Iterable[Found]) -> Found:
        """Return the stacks' parts as one, with what stayed unknown."""
        return merge([*parts, Found(unknown=self.unknown)])


@dataclass(frozen=True, slots=True)
class _Export:
    name: str
    stack: _Stack
    value: Callable[[], object]


class _Stack:
    """One template as a scope: answers what its expressions refer to."""

    def __init__(self, template: Template, label: str, account: _Account) -> None:
        self.label = label
        self.path = template.path
        self.account = account
        self.parent: tuple[_Stack, str] | None = None
        self.children: dict[str, _Stack] = {}
        self._body = template.body
        self._parameters = _section(template, "Parameters")
        self._conditions = _section(template, "Conditions")
        self._mappings = _section(template, "Mappings")
        self._outputs = _section(template, "Outputs")
        self.resources = _section(template, "Resources")
        self._open: set[tuple[str, str]] = set()
        self._known: dict[tuple[str, str], object] = {}
        for name in self.resources:
            if name.startswith("Fn::"):
                raise BadInput(f"{label}: Resources/{name}: expand this transform first; give the processed template")

    def nested(self) -> Iterator[tuple[str, list[str]]]:
        """Yield each resource that is a stack, and the names its template's file may have."""
        for name, resource in self.resources.items():
            field = _NESTED.get(self.kind(name))
            if field is None or not isinstance(resource, Mapping):
                continue
            metadata = resource.get("Metadata")
            asset = metadata.get("aws:asset:path") if isinstance(metadata, Mapping) else None
            where = f"Resources/{name}/Properties/{field}"
            written = resolve(self.properties(name).get(field), self, where, keep=self.keep)
            yield name, [PurePath(str(each)).name for each in (asset, written) if each]

    def argument(self, name: str, parameter: str) -> object:
        """Return what a nested stack's resource passes for a parameter; None when nothing."""
        passed = self.properties(name).get("Parameters")
        if not isinstance(passed, Mapping) or parameter not in passed:
            return None
        where = f"Resources/{name}/Properties/Parameters/{parameter}"
        return self._guard("argument", f"{name}.{parameter}", lambda: self._resolved(passed[parameter], where))

    def _resolved(self, value: object, where: str) -> object:
        return resolve(value, self, where, keep=self.keep)

    def output(self, name: str) -> object:
        """Return what the stack outputs under a name."""
        output = self._outputs.get(name)
        if not isinstance(output, Mapping):
            raise Unresolved(f"{self.label} has no output {name}")
        return self._output({str(key): item for key, item in output.items()}, f"Outputs/{name}")()

    def names(self) -> set[str]:
        """Return every name the operator may give a value for."""
        return {*self._parameters, *self.resources} | {"Region", "AccountId", "StackName", "Partition", "URLSuffix"}

    def exports(self) -> list[_Export]:
        """Return the stack's exports whose names are known."""
        found = []
        for name, output in self._outputs.items():
            if not isinstance(output, Mapping) or "Export" not in output or not self.exists(output):
                continue
            where = f"Outputs/{name}"
            export = resolve(output["Export"], self, f"{where}/Export", keep=self.keep)
            title = export.get("Name") if isinstance(export, Mapping) else None
            if isinstance(title, str) and not isinstance(title, Unknown):
                found.append(_Export(title, self, self._output(output, where)))
        return found

    def _output(self, output: Mapping[str, object], where: str) -> Callable[[], object]:
        return lambda: self._guard("output", where, lambda: resolve(output.get("Value"), self, f"{where}/Value"))

    def exists(self, item: Mapping[str, object]) -> bool:
        """Return whether a resource's or output's Condition holds."""
        condition = item.get("Condition")
        return not isinstance(condition, str) or self.condition(condition)

    def keep(self, error: Unresolved) -> object:
        """Keep what cannot be resolved as an unknown."""
        placed = Unresolved(error.what, f"{self.label}: {error.where}", error.mend)
        return self.account.hole(f"{self.label}#{error.where}", placed)

    # ---- Scope

    def ref(self, name: str) -> object:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name.startswith("AWS::"):
            given = self.account.given(self.label, name)
            return self._pseudo(name) if given is None else given
        if name in self._parameters:
            return self._parameter(name)
        if name in self.resources:
            return self._reference(name, None)
        owner, dot, attribute = name.partition(".")
        if dot and owner in self.resources:  # AWS Copilot writes attributes so
            return self._reference(owner, attribute)
        raise Unresolved(f"nothing here is named {name}")

    def get_att(self, name: str, attribute: str) -> object:
        if name not in self.resources:
            raise Unresolved(f"no resource here is named {name}")
        return self._reference(name, attribute)

    def import_value(self, name: str) -> object:
        return self.account.import_value(name)

    def condition(self, name: str) -> bool:
        if name not in self._conditions:
            raise Unresolved(f"no condition here is named {name}")
        where = f"Conditions/{name}"
        return bool(self._guard("condition", name, lambda: holds(self._conditions[name], self, where)))

    def mapping(self, name: str, top: str, second: str) -> object:
        table = self._mappings.get(name)
        row = table.get(top) if isinstance(table, Mapping) else None
        if isinstance(row, Mapping) and second in row:
            return row[second]
        raise Unresolved(f"the map {name} has no entry {top}, {second}")

    def availability_zones(self, region: str) -> Sequence[str]:
        raise Unresolved(f"the zones of {region or 'the stack'} are known to AWS alone")

    # ---- names

    def _guard(self, kind: str, name: str, answer: Callable[[], object]) -> object:
        if (kind, name) in self._known:
            return self._known[kind, name]
        if (kind, name) in self._open:
            raise Unresolved(f"the {kind} {name} refers to itself")
        self._open.add((kind, name))
        try:
            self._known[kind, name] = answer()
        finally:
            self._open.discard((kind, name))
        return self._known[kind, name]

    def _pseudo(self, name: str) -> Unknown:
        why = Unresolved(f"{name} is not known from files", self.label, f"give --param '{self.label}:{name}=VALUE'")
        return self.account.hole(name.replace("::", "."), why)

    def _parameter(self, name: str) -> object:
        declared = self._parameters[name]
        declared = declared if isinstance(declared, Mapping) else {}
        kind = str(declared.get("Type", "String"))
        value: object = self.account.given(self.label, name)
        if value is None and self.parent is not None:
            value = self.parent[0].argument(self.parent[1], name)
        if value is None and not kind.startswith("AWS::SSM::"):
            value = declared.get("Default")
        if value is None:
            why = Unresolved(
                f"the parameter {name} has no value", self.label, f"give --param '{self.label}:{name}=VALUE'"
            )
            return self.account.hole(f"{name} in {self.label}", why)
        if kind == "CommaDelimitedList" or kind.startswith("List<"):
            return value if isinstance(value, list) else [item.strip() for item in str(value).split(",")]
        return value if isinstance(value, str) else Tree(value, Place(self.label, f"Parameters/{name}")).text()

    def properties(self, name: str) -> Mapping[str, object]:
        """Return a resource's properties, unresolved."""
        resource = self.resources[name]
        found = resource.get("Properties") if isinstance(resource, Mapping) else None
        return found if isinstance(found, Mapping) else {}

    def kind(self, name: str) -> str:
        """Return a resource's type."""
        resource = self.resources[name]
        return str(resource.get("Type", "")) if isinstance(resource, Mapping) else ""

    def physical_name(self, name: str) -> str:
        """Return a resource's name: as given, as written, or unknown because CloudFormation makes it up."""
        kind = _KINDS[self.kind(name)]
        given = self.account.given(self.label, name)
        if given is not None:
            return given
        written = self.properties(name).get(kind.name) if kind.name else None
        if written is not None:
            where = f"Resources/{name}/Properties/{kind.name}"
            resolved = self._guard("name", name, lambda: resolve(written, self, where, keep=self.keep))
            if resolved is not NO_VALUE:
                return Tree(resolved, Place(self.label, where)).text()
        if kind.fixed:
            return name
        why = Unresolved(
            f"CloudFormation makes up the name of {name} ({self.kind(name)})",
            f"{self.label}: Resources/{name}",
            f"give the real one with --param '{self.label}:{name}=NAME'",
        )
        return self.account.hole(f"{name} in {self.label}", why)

    def _reference(self, name: str, attribute: str | None) -> object:
        kind = _KINDS.get(self.kind(name))
        if kind is None and attribute is not None and attribute.startswith("Outputs.") and name in self.children:
            return self.children[name].output(attribute.removeprefix("Outputs."))
        if kind is None:
            return self._made(name, attribute)
        if attribute is None:
            return self.physical_name(name) if kind.by_name else self._ref_of(name, kind)
        if attribute in ("Arn", "ServiceArn", "TaskDefinitionArn", "TargetGroupArn", "LoadBalancerArn", "ListenerArn"):
            return self.arn(name)
        if attribute in ("TargetGroupFullName", "LoadBalancerFullName"):
            return self._full_name(name, attribute)
        if attribute in (kind.name, "Name") or _NAMES.get(attribute) == kind.name:
            return self.physical_name(name)
        if attribute in self.properties(name):
            where = f"Resources/{name}/Properties/{attribute}"
            written = self.properties(name)[attribute]
            return self._guard("attribute", f"{name}.{attribute}", lambda: resolve(written, self, where))
        return self._made(name, attribute)

    def _made(self, name: str, attribute: str | None) -> str:
        """Return what only a stack that exists can say: as given, otherwise unknown."""
        what = name if attribute is None else f"{name}.{attribute}"
        given = self.account.given(self.label, what)
        if given is not None:
            return given
        why = Unresolved(
            f"{what} is known only once the stack exists",
            f"{self.label}: Resources/{name}",
            f"give --param '{self.label}:{what}=VALUE'",
        )
        return self.account.hole(f"{what} in {self.label}", why)

    def _ref_of(self, name: str, kind: _Kind) -> str:
        """Return what Ref gives: Cloud Map's own id, otherwise the ARN."""
        return self.arn(name).rpartition("/")[2] if kind.arn.startswith(_MAP) else self.arn(name)

    def _full_name(self, name: str, attribute: str) -> str:
        arn = self.arn(name)
        cut = "targetgroup/" if attribute == "TargetGroupFullName" else "loadbalancer/"
        start = arn.index(cut) + (len(cut) if attribute == "LoadBalancerFullName" else 0)
        return arn[start:]

    def arn(self, name: str) -> str:
        """Return a resource's ARN, as far as files know it; unique among the sources."""
        kind = _KINDS[self.kind(name)]
        text = kind.arn.replace("{name}", self.physical_name(name)).replace("{id}", f"{self.label}.{name}")
        if "{kind}" in text:
            load_balancer_kind = resolve(self.properties(name).get("Type", "application"), self, name)
            prefix = shape.load_balancer_full_name(str(load_balancer_kind), "", "").partition("/")[0]
            text = text.replace("{kind}", prefix)
        for field in ("MeshName", "VirtualRouterName", "VirtualGatewayName"):
            if f"{{{field}}}" in text.replace("${", ""):
                text = text.replace(f"{{{field}}}", self._own(name, field))
        return text

    def _own(self, name: str, field: str) -> str:
        """Return the name of what a mesh resource belongs to; a mesh belongs to itself."""
        if _KINDS[self.kind(name)].name == field:
            return self.physical_name(name)
        where = f"Resources/{name}/Properties/{field}"
        value = resolve(self.properties(name).get(field), self, where, keep=self.keep)
        return Tree(value, Place(self.label, where)).text().rpartition("/")[2]


class _Reader:
    """Turns one stack's resources into the mesh model."""

    def __init__(self, stack: _Stack, account: _Account) -> None:
        self._stack = stack
        self._account = account

    def read(self) -> Found:
        """Return what the stack holds."""
        stack = self._stack
        groups: dict[str, list[object]] = {}
        for name, resource in stack.resources.items():
            if not isinstance(resource, Mapping):
                raise BadInput(f"{stack.label}: Resources/{name}: a resource must be a mapping")
            read = _READERS.get(str(resource.get("Type")))
            if read is None or not self._exists(name, resource):
                continue
            field, function = read
            made = function(self, name)
            groups.setdefault(field, []).extend(made if isinstance(made, tuple) else (made,))
        return Found(**{field: tuple(items) for field, items in groups.items()})  # type: ignore[arg-type]

    def _exists(self, name: str, resource: Mapping[str, object]) -> bool:
        try:
            return self._stack.exists(resource)
        except Unresolved as error:
            raise BadInput(f"{self._stack.label}: Resources/{name}: whether it exists depends on {error}") from error

    def _tree(self, name: str) -> Tree:
        where = f"Resources/{name}/Properties"
        found = resolve(self._stack.properties(name), self._stack, where, keep=self._stack.keep)
        return Tree(lower_camel(found), Place(self._stack.label, f"Resources/{name}"))

    def _name(self, name: str) -> str:
        return self._stack.physical_name(name)

    def _mesh_of(self, found: Tree) -> str:
        return (found / "meshName").text().rpartition("/")[2]

    def _beside(self, found: Tree) -> Beside:
        return shape.beside(found, str(self._stack.ref("AWS::AccountId")) if found / "meshOwner" else None)

    def mesh(self, name: str) -> object:
        found = self._tree(name)
        return replace(shape.mesh(self._name(name), found / "spec"), beside=self._beside(found))

    def virtual_node(self, name: str) -> object:
        found = self._tree(name)
        made = shape.virtual_node(self._name(name), self._mesh_of(found), found / "spec")
        return replace(made, beside=self._beside(found))

    def virtual_router(self, name: str) -> object:
        found = self._tree(name)
        made = shape.virtual_router(self._name(name), self._mesh_of(found), found / "spec")
        return replace(made, beside=self._beside(found))

    def route(self, name: str) -> object:
        found = self._tree(name)
        router = (found / "virtualRouterName").text().rpartition("/")[2]
        made = shape.route(self._name(name), router, self._mesh_of(found), found / "spec")
        return replace(made, beside=self._beside(found))

    def virtual_service(self, name: str) -> object:
        found = self._tree(name)
        made = shape.virtual_service(self._name(name), self._mesh_of(found), found / "spec")
        return replace(made, beside=self._beside(found))

    def virtual_gateway(self, name: str) -> object:
        found = self._tree(name)
        made = shape.virtual_gateway(self._name(name), self._mesh_of(found), found / "spec")
        return replace(made, beside=self._beside(found))

    def gateway_route(self, name: str) -> object:
        found = self._tree(name)
        gateway = (found / "virtualGatewayName").text().rpartition("/")[2]
        made = shape.gateway_route(self._name(name), gateway, self._mesh_of(found), found / "spec")
        return replace(made, beside=self._beside(found))

    def ecs_service(self, name: str) -> object:
        return shape.ecs_service(self._name(name), self._tree(name))

    def task_definition(self, name: str) -> object:
        return shape.task_definition(self._name(name), self._tree(name))

    def target_group(self, name: str) -> object:
        return shape.target_group(self._name(name), self._tree(name))

    def load_balancer(self, name: str) -> object:
        full_name = str(self._stack.get_att(name, "LoadBalancerFullName"))
        dns_name = str(self._stack.get_att(name, "DNSName"))
        return shape.load_balancer(self._name(name), full_name, self._tree(name), dns_name)

    def listener(self, name: str) -> object:
        found = self._tree(name)
        owner = shape.load_balancer_name((found / "loadBalancerArn").text())
        return shape.listener_rule(owner, (found / "port").number(), "default", found / "defaultActions")

    def listener_rule(self, name: str) -> object:
        found = self._tree(name)
        owner, port = self._account_listener(found / "listenerArn")
        return shape.listener_rule(owner, port, (found / "priority").text(), found / "actions", found / "conditions")

    def _account_listener(self, arn: Tree) -> tuple[str, int]:
        """Return the load balancer and port of the listener a rule belongs to."""
        owner = self._account.listener(arn.text())
        if owner is None:
            raise BadInput(f"{arn.place}: its listener is in no template given; add the one that holds it")
        stack, name = owner
        found = _Reader(stack, self._account)._tree(name)  # noqa: SLF001 — of this class
        return shape.load_balancer_name((found / "loadBalancerArn").text()), (found / "port").number()

    def alarm(self, name: str) -> object:
        return shape.alarm(self._name(name), self._tree(name))

    def cloud_map_service(self, name: str) -> object:
        found = self._tree(name)
        namespace = (found / "namespaceId").text_or_none() or (found / "dnsConfig" / "namespaceId").text_or_none()
        return CloudMapService(self._name(name), namespace, found.place, self._stack.arn(name))

    def namespace(self, name: str) -> object:
        reference = self._stack.arn(name).rpartition("/")[2]
        return Namespace(self._name(name), reference, self._tree(name).place)

    def record(self, name: str) -> object:
        return shape.dns_record(self._name(name), self._tree(name))

    def records(self, name: str) -> object:
        found = self._tree(name)
        zone = found.mapping().get("hostedZoneId")
        records = [Tree({"hostedZoneId": zone, **each.mapping()}, each.place) for each in found / "recordSets"]
        return tuple(shape.dns_record((each / "name").text(), each) for each in records)

    def zone(self, name: str) -> object:
        return shape.hosted_zone(str(self._stack.ref(name)), self._tree(name))

    def distribution(self, name: str) -> object:
        domain = str(self._stack.get_att(name, "DomainName"))
        return shape.distribution(str(self._stack.ref(name)), self._tree(name) / "distributionConfig", domain)


_READERS: Final[Mapping[str, tuple[str, Callable[[_Reader, str], object]]]] = {
    "AWS::AppMesh::Mesh": ("meshes", _Reader.mesh),
    "AWS::AppMesh::VirtualNode": ("nodes", _Reader.virtual_node),
    "AWS::AppMesh::VirtualRouter": ("routers", _Reader.virtual_router),
    "AWS::AppMesh::Route": ("routes", _Reader.route),
    "AWS::AppMesh::VirtualService": ("virtual_services", _Reader.virtual_service),
    "AWS::AppMesh::VirtualGateway": ("gateways", _Reader.virtual_gateway),
    "AWS::AppMesh::GatewayRoute": ("gateway_routes", _Reader.gateway_route),
    "AWS::ECS::Service": ("services", _Reader.ecs_service),
    "AWS::ECS::TaskDefinition": ("task_definitions", _Reader.task_definition),
    "AWS::ElasticLoadBalancingV2::TargetGroup": ("target_groups", _Reader.target_group),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": ("load_balancers", _Reader.load_balancer),
    "AWS::ElasticLoadBalancingV2::Listener": ("rules", _Reader.listener),
    "AWS::ElasticLoadBalancingV2::ListenerRule": ("rules", _Reader.listener_rule),
    "AWS::CloudWatch::Alarm": ("alarms", _Reader.alarm),
    "AWS::ServiceDiscovery::Service": ("cloud_map_services", _Reader.cloud_map_service),
    "AWS::ServiceDiscovery::PrivateDnsNamespace": ("namespaces", _Reader.namespace),
    "AWS::ServiceDiscovery::PublicDnsNamespace": ("namespaces", _Reader.namespace),
    "AWS::ServiceDiscovery::HttpNamespace": ("namespaces", _Reader.namespace),
    "AWS::Route53::RecordSet": ("records", _Reader.record),
    "AWS::Route53::RecordSetGroup": ("records", _Reader.records),
    "AWS::Route53::HostedZone": ("zones", _Reader.zone),
    "AWS::CloudFront::Distribution": ("distributions", _Reader.distribution),
}


def _pseudo_unknown(name: str) -> str:
    return f"AWS::{name} is not known from files; give --param 'AWS::{name}=VALUE'"


def _section(template: Template, name: str) -> dict[str, object]:
    found = template.body.get(name) or {}
    if not isinstance(found, Mapping):
        raise BadInput(f"{template.path}: {name} must be a mapping")
    return {str(key): value for key, value in found.items()}


def _labels(paths: Sequence[str]) -> list[str]:
    """Return the shortest tails of the paths that tell them apart."""
    labels = []
    for path in paths:
        parts = PurePath(path).parts
        for length in range(1, len(parts) + 1):
            tail = parts[-length:]
            if sum(PurePath(other).parts[-length:] == tail for other in paths) == 1:
                break
        labels.append("/".join(tail) if parts else path)
    return labels
