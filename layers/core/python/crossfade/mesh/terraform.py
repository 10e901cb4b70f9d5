"""
Reads Terraform configuration: the modules of a tree, their variables, locals, resources and what they call each other.

`for_each`, `count`, `dynamic`, `templatefile` and `jsonencode` are resolved as far as the files say. What only AWS or
another module's author knows is kept as an unknown; a plan that needs it is refused with the address and the way out.
Pure.

Source: Terraform Language, "Modules", "Resources", "dynamic Blocks".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from crossfade.errors import BadInput
from crossfade.mesh import hclfunctions, tfshapes
from crossfade.mesh.hcl import Local, Scope, in_text, pairs, part, plain, template
from crossfade.mesh.intrinsics import Unknown, Unresolved
from crossfade.mesh.items import Item
from crossfade.mesh.model import Place
from crossfade.mesh.template import load_yaml
from crossfade.mesh.tfcomputed import ARNS, COMPUTED, ID_IS_ARN, ID_IS_NAME, INSTEAD, LB_KINDS, PSEUDO
from crossfade.mesh.tfexpressions import Nowhere, Table, evaluated, fitted, is_remark, typed, unquoted, written
from crossfade.mesh.tffiles import DEEPEST, Configuration, FileTree

_BLOCK: Final = "__is_block__"
"""How python-hcl2 marks a block; its other remarks, such as comments, begin alike."""
_MOST_INSTANCES: Final = 2_000
_REPEAT: Final = frozenset({"for_each", "count", "lifecycle", "provider", "depends_on", "provisioner", "connection"})


def _mended(error: Unresolved) -> str:
    """Return what is missing with a way out; where nothing smaller helps, Terraform's own answer does."""
    return str(error) if error.mend else f"{error}; {INSTEAD}"


def read_configuration(
    files: Sequence[tuple[str, str]], beside: Mapping[str, str], parameters: Mapping[str, str]
) -> Configuration:
    """
    Return the resources that Terraform files describe.

    Args:
        files: Path and text of each `.tf` and `.tfvars` file. Every folder that no other calls as a module is a root.
        beside: Path and text of the files that `templatefile` and `file` may read.
        parameters: A root's variables by name; `ADDRESS.ATTRIBUTE` for what only AWS knows (`aws_lb.web.dns_name`).

    Raises:
        BadInput: a file is not Terraform's, or how often a resource exists cannot be told.
    """
    tree = FileTree(files, beside, parameters)
    for folder in tree.roots():
        module = _Module(tree, folder, "", tree.given(folder), depth=0)
        for name in module.variables:
            if name in parameters:
                tree.found.used.add(name)
        tree.found.items += module.items()
    for hole, name in PSEUDO.items():
        tree.found.unknown.setdefault(f"${{{hole}}}", f"{name} is not known from files; give --param '{name}=VALUE'")
    tree.found.used.update(key for key in parameters if key in PSEUDO.values())
    return tree.found


@dataclass(frozen=True, slots=True)
class _Instance:
    """One resource as it will be: its address, its key, and the scope in which its body means something."""

    kind: str
    name: str
    key: object
    body: Mapping[str, Any]
    path: str
    module: _Module
    scope: Scope

    @property
    def address(self) -> str:
        key = "" if self.key is None else f'["{self.key}"]' if isinstance(self.key, str) else f"[{self.key}]"
        return f"{self.module.prefix}{self.kind}.{self.name}{key}"

    def part(self, key: object) -> object:
        return self.module.attribute(self, in_text(plain(key)))

    def whole(self) -> object:
        return {name: plain(self.part(name)) for name in (*self.body, "id", "arn", "name") if not is_remark(name)}


class _Module:
    """A folder called with some values: a scope for its expressions, and its resources."""

    def __init__(self, tree: FileTree, folder: str, prefix: str, given: Mapping[str, object], *, depth: int) -> None:
        if depth > DEEPEST:
            raise BadInput(f"{folder}: modules call each other more than {DEEPEST} levels deep")
        self.prefix = prefix
        self._tree = tree
        self._folder = folder
        self._given = given
        self._depth = depth
        self.variables = {name: body for _path, name, body in tree.blocks(folder, "variable")}
        self._locals = {
            unquoted(name): value
            for _path, body in tree.folders.get(folder, ())
            for block in body.get("locals", ())
            for name, value in block.items()
            if not is_remark(name)
        }
        self._outputs = {name: body for _path, name, body in tree.blocks(folder, "output")}
        self._calls = {name: (path, body) for path, name, body in tree.blocks(folder, "module")}
        self._blocks = {
            (kind, group, unquoted(name)): (path, body)
            for kind in ("resource", "data")
            for path, group, bodies in tree.blocks(folder, kind)
            for name, body in bodies.items()
            if not is_remark(name) and isinstance(body, Mapping)
        }
        self._open: set[tuple[str, str]] = set()
        self._known: dict[tuple[str, str], object] = {}
        self._made: dict[tuple[str, str, str], list[_Instance]] = {}
        self._children: dict[str, Mapping[object, _Module]] = {}

    # ---- Scope

    def name(self, root: str) -> object:
        tables = {
            "var": self._variable,
            "local": self._local,
            "module": self._called,
            "data": lambda kind: Table(lambda name: self._resource("data", kind, name)),
            "terraform": lambda key: self.hole(f"terraform.{key}", "is known only where Terraform runs"),
        }
        if root in tables:
            return Table(tables[root])
        if root == "path":
            return {"module": self._folder, "root": self._folder, "cwd": "."}
        if any(group == root for kind, group, _name in self._blocks if kind == "resource"):
            return Table(lambda name: self._resource("resource", root, name))
        if re.match(r"[a-z0-9]+_", root):
            return Table(lambda name: self._missing("resource", root, name))
        if root in ("string", "number", "bool", "any", "list", "map", "set", "object", "tuple"):
            return root  # the types of old variables
        raise Unresolved(f"there is no {root} here", self._folder)

    def call(self, function: str, arguments: Sequence[object]) -> object:
        if function in ("file", "templatefile", "fileexists", "filebase64"):
            return self._file(function, arguments)
        if function in ("yamldecode", "yamlencode"):
            return self._yaml(function, arguments)
        if function in ("timestamp", "uuid", "plantimestamp", "bcrypt"):
            return self.hole(f"{function}()", "is known only where Terraform runs")
        return hclfunctions.call(function, arguments)

    def _yaml(self, function: str, arguments: Sequence[object]) -> object:
        if function == "yamlencode":
            return hclfunctions.call("jsonencode", arguments)  # JSON is YAML
        return load_yaml(in_text(arguments[0]), f"{self._folder}: yamldecode")

    def _file(self, function: str, arguments: Sequence[object]) -> object:
        given = arguments[0] if arguments else ""
        if isinstance(given, Unknown):
            raise given.why
        wanted = PurePosixPath(in_text(given))
        parts: list[str] = []
        for each in wanted.parts:
            if each == ".." and parts:
                parts.pop()
            elif each != ".":
                parts.append(each)
        text = self._tree.beside.get(str(PurePosixPath(*parts)) if parts else "")
        if function == "fileexists":
            return text is not None
        if text is None:
            raise Unresolved(f"the file {wanted} is not among the sources", self._folder, "name its folder as a source")
        if function != "templatefile":
            return text
        names = arguments[1] if len(arguments) > 1 else {}
        return template(text, escapes=False)(Local(names if isinstance(names, Mapping) else {}, Nowhere()))

    # ---- names

    def hole(self, token: str, what: str, mend: str | None = None) -> object:
        """Return a text for something unknown, and remember why it is; what the operator gave where it was given."""
        address = f"{self.prefix}{token}"
        if address in self._tree.parameters:
            self._tree.found.used.add(address)
            return written(self._tree.parameters[address])
        why = Unresolved(f"{address} {what}", self._folder, mend or f"give --param '{address}=VALUE'")
        text = f"${{{address.replace('/', '.').replace('}', '').replace(':', '.')}}}"
        self._tree.found.unknown[text] = str(why)
        return Unknown(text, why)

    def _guarded(self, kind: str, name: str, answer: Any) -> object:
        if (kind, name) in self._known:
            return self._known[kind, name]
        if (kind, name) in self._open:
            raise Unresolved(f"{kind}.{name} refers to itself", self._folder)
        self._open.add((kind, name))
        try:
            self._known[kind, name] = plain(answer())
        finally:
            self._open.discard((kind, name))
        return self._known[kind, name]

    def _variable(self, name: str) -> object:
        declared = self.variables.get(name)
        if declared is None:
            raise Unresolved(f"there is no variable {name}", self._folder)
        return self._guarded("var", name, lambda: self._value_of(name, declared))

    def _value_of(self, name: str, declared: Mapping[str, Any]) -> object:
        is_root = not self.prefix
        if is_root and name in self._tree.parameters:
            self._tree.found.used.add(name)
            return fitted(typed(self._tree.parameters[name], declared), declared.get("type"))
        if name in self._given:
            given = plain(self._given[name])
            if given is not None or declared.get("nullable") in (True, None):
                return fitted(given, declared.get("type"))
        if "default" in declared:
            return fitted(plain(evaluated(declared["default"], self)), declared.get("type"))
        return self.hole(f"var.{name}", "has no value", f"give --param '{name}=VALUE'" if is_root else None)

    def _local(self, name: str) -> object:
        if name not in self._locals:
            raise Unresolved(f"there is no local {name}", self._folder)
        return self._guarded("local", name, lambda: evaluated(self._locals[name], self))

    def _missing(self, kind: str, group: str, name: str) -> object:
        where = f"{'data.' if kind == 'data' else ''}{group}.{name}"
        what = "is not among the sources"
        return Table(lambda attribute: self.hole(f"{where}.{attribute}", what), lambda: self.hole(where, what))

    def _resource(self, kind: str, group: str, name: str) -> object:
        if (kind, group, name) not in self._blocks:
            return self._missing(kind, group, name)
        if kind == "data":
            return self._data(group, name)
        instances = self.instances(group, name)
        body = self._blocks[kind, group, name][1]
        if "count" in body:
            return list(instances)
        if "for_each" in body:
            return {str(each.key): each for each in instances}
        return instances[0]

    def _data(self, group: str, name: str) -> object:
        path, body = self._blocks["data", group, name]
        if group == "template_file":
            return Table(lambda attribute: self._template_file(name, body, attribute))
        instance = _Instance(f"data.{group}", name, None, body, path, self, self)
        is_repeated = "count" in body or "for_each" in body
        return _Each(instance) if is_repeated else instance

    def _template_file(self, name: str, body: Mapping[str, Any], attribute: str) -> object:
        if attribute != "rendered":
            return evaluated(body.get(attribute), self)
        text = plain(evaluated(body.get("template"), self))
        names = plain(evaluated(body.get("vars", {}), self))
        if isinstance(text, Unknown):
            raise text.why
        inner = Local(names if isinstance(names, Mapping) else {}, Nowhere())
        return self._guarded("template_file", name, lambda: template(in_text(text), escapes=False)(inner))

    # ---- resources

    def instances(self, group: str, name: str) -> list[_Instance]:
        """Return a resource as often as it exists."""
        key = ("resource", group, name)
        if key not in self._made:
            path, body = self._blocks[key]
            self._made[key] = [
                _Instance(group, name, each, body, path, self, scope)
                for each, scope in self._repeated(body, f"{path}: {self.prefix}{group}.{name}")
            ]
        return self._made[key]

    def _repeated(self, body: Mapping[str, Any], where: str) -> list[tuple[object, Scope]]:
        try:
            if "count" in body:
                count = hclfunctions.call("tonumber", [plain(evaluated(body["count"], self))])
                assert isinstance(count, int | float)
                return [(at, Local({"count": {"index": at}}, self)) for at in range(min(int(count), _MOST_INSTANCES))]
            if "for_each" in body:
                found = plain(evaluated(body["for_each"], self))
                listed = [(each, each) for each in found] if isinstance(found, list) else pairs(found)
                return [
                    (in_text(key), Local({"each": {"key": key, "value": value}}, self))
                    for key, value in listed[:_MOST_INSTANCES]
                ]
        except Unresolved as error:
            raise BadInput(f"{where}: how often it exists cannot be told: {_mended(error)}") from error
        return [(None, self)]

    def attribute(self, instance: _Instance, name: str) -> object:
        """Return an attribute of a resource: as written, as files know it, or unknown."""
        return self._guarded(instance.address, name, lambda: self._attribute(instance, name))

    def _attribute(self, instance: _Instance, name: str) -> object:
        kind, body = instance.kind, instance.body
        if name in body and name not in _REPEAT:
            return self.evaluated_body({name: body[name]}, instance.scope).get(name)
        if name in ("arn", "arn_without_revision", "arn_suffix") and kind in ARNS:
            arn = self._arn(instance)
            if name == "arn_suffix":
                return arn[arn.index("targetgroup/") if "target_group" in kind else arn.index("loadbalancer/") + 13 :]
            return arn if name == "arn" else arn.rpartition(":")[0]
        if name == "id":
            return self._id(instance)
        if name == "revision" and kind == "aws_ecs_task_definition":
            return 1
        if name == "fqdn" and "name" in body:
            return instance.part("name")
        what = "is known only once it exists"
        return self.hole(f"{instance.address.removeprefix(self.prefix)}.{name}", what)

    def _id(self, instance: _Instance) -> object:
        if instance.kind in ID_IS_NAME:
            return instance.part("name")
        if instance.kind in ID_IS_ARN or instance.kind.endswith(("target_group", "_listener")):
            return self._arn(instance) if instance.kind in ARNS else self.hole(f"{instance.address}.id", "is AWS's")
        if instance.kind.startswith("aws_service_discovery"):
            return self._arn(instance).rpartition("/")[2]
        if instance.kind == "aws_ecs_task_definition":
            return instance.part("family")
        return self.hole(f"{instance.address.removeprefix(self.prefix)}.id", "is known only once it exists")

    def _arn(self, instance: _Instance) -> str:
        mark = re.sub(r"[^A-Za-z0-9_.-]", "-", instance.address)
        text = ARNS[instance.kind].replace("{mark}", mark)
        if "{lb_kind}" in text:
            kind = instance.body.get("load_balancer_type")
            said = in_text(plain(evaluated(kind, instance.scope))) if kind is not None else "application"
            text = text.replace("{lb_kind}", LB_KINDS.get(said, "app"))
        for name in ("name", "mesh_name", "family"):
            if f"{{{name}}}" in text:
                text = text.replace(f"{{{name}}}", in_text(plain(instance.part(name))))
        return text

    def evaluated_body(self, body: Mapping[str, Any], scope: Scope) -> dict[str, object]:
        """Return a block's attributes and blocks, `dynamic` ones written out; what is not known kept as unknown."""
        said: dict[str, object] = {}
        for name, value in body.items():
            if is_remark(name):
                continue
            if name == "dynamic" and isinstance(value, list):
                for key, blocks in self._dynamic(value, scope):
                    known = said.setdefault(key, [])
                    assert isinstance(known, list)
                    known.extend(blocks)
            elif (
                isinstance(value, list)
                and value
                and all(isinstance(each, Mapping) and _BLOCK in each for each in value)
            ):
                known = said.setdefault(unquoted(name), [])
                assert isinstance(known, list)
                known.extend(self.evaluated_body(each, scope) for each in value)
            else:
                said[unquoted(name)] = self._kept(value, scope, name)
        return said

    def _kept(self, value: object, scope: Scope, name: str) -> object:
        try:
            return plain(evaluated(value, scope))
        except Unresolved as error:
            return self._unknown_expression(name, value, error)

    def _unknown_expression(self, name: str, value: object, error: Unresolved) -> Unknown:
        said = re.sub(r"[{}$\"\s]+", " ", str(value)).strip()[:60]
        text = f"${{{self.prefix}{name} = {said}}}"
        why = Unresolved(error.what, error.where or f"{self._folder}: {self.prefix}{name}", error.mend)
        self._tree.found.unknown[text] = str(why)
        return Unknown(text, why)

    def _dynamic(self, blocks: Sequence[Any], scope: Scope) -> Iterator[tuple[str, list[object]]]:
        for block in blocks:
            for label, body in block.items():
                if is_remark(label) or not isinstance(body, Mapping):
                    continue
                name = unquoted(label)
                iterator = unquoted(body.get("iterator", name)).removeprefix("${").removesuffix("}")
                try:
                    found = plain(evaluated(body.get("for_each", []), scope))
                    listed = [(each, each) for each in found] if isinstance(found, list) else pairs(found)
                except Unresolved as error:
                    raise BadInput(
                        f"{self._folder}: dynamic {name}: how often it exists cannot be told: {_mended(error)}"
                    ) from error
                contents = body.get("content") or [{}]
                yield (
                    name,
                    [
                        self.evaluated_body(contents[0], Local({iterator: {"key": key, "value": value}}, scope))
                        for key, value in listed[:_MOST_INSTANCES]
                    ],
                )

    def items(self) -> list[Item]:
        """Return the resources of this module and of those it calls, in the APIs' shape."""
        found: list[Item] = []
        for kind, group, name in self._blocks:
            if kind == "resource" and tfshapes.is_known(group):
                for instance in self.instances(group, name):
                    found += self._item(instance)
        for name in self._calls:
            for child in self.children(name).values():
                found += child.items()
        return found

    def _item(self, instance: _Instance) -> Iterator[Item]:
        body = {key: value for key, value in instance.body.items() if key not in _REPEAT}
        attributes = self.evaluated_body(body, instance.scope)
        for name in COMPUTED.get(instance.kind, ()):
            if attributes.get(name) in (None, ""):
                attributes[name] = self._kept_part(instance, name)
        found = tfshapes.item(instance.kind, attributes, Place(instance.path, instance.address))
        if found is not None:
            yield found

    def _kept_part(self, instance: _Instance, name: str) -> object:
        try:
            return plain(instance.part(name))
        except Unresolved as error:
            return self._unknown_expression(f"{instance.address}.{name}", "", error)

    # ---- modules

    def children(self, name: str) -> Mapping[object, _Module]:
        """Return a called module as often as it is called; nothing when its folder is not among the files."""
        if name not in self._children:
            path, body = self._calls[name]
            source = unquoted(body.get("source", ""))
            target = self._tree.local(self._folder, source)
            made: dict[object, _Module] = {}
            if target is None:
                self._tree.found.modules_elsewhere[f"{self.prefix}module.{name}"] = source
                self._tree.found.notes.append(
                    f"{path}: module.{name} comes from {source or 'nowhere named'}, which is not among the sources; "
                    "what it makes is not in the plan (`terraform show -json` has it)"
                )
            else:
                for key, scope in self._repeated(body, f"{path}: module.{name}"):
                    given = {
                        unquoted(each): _Later(value, scope, self)
                        for each, value in body.items()
                        if each not in (*_REPEAT, "source", "version", "providers") and not is_remark(each)
                    }
                    mark = "" if key is None else f'["{key}"]' if isinstance(key, str) else f"[{key}]"
                    prefix = f"{self.prefix}module.{name}{mark}."
                    made[key] = _Module(self._tree, target, prefix, given, depth=self._depth + 1)
            self._children[name] = made
        return self._children[name]

    def _called(self, name: str) -> object:
        if name not in self._calls:
            raise Unresolved(f"there is no module {name}", self._folder)
        children = self.children(name)
        if not children and self._tree.local(self._folder, unquoted(self._calls[name][1].get("source", ""))) is None:
            token = f"module.{name}"
            return Table(lambda output: self.hole(f"{token}.{output}", "comes from a module that is not given"))
        if list(children) == [None]:
            return Table(children[None].output)
        if all(isinstance(key, int) for key in children):
            return [Table(child.output) for child in children.values()]
        return {str(key): Table(child.output) for key, child in children.items()}

    def output(self, name: str) -> object:
        """Return what the module answers under a name."""
        if name not in self._outputs:
            raise Unresolved(f"the module has no output {name}", self._folder)
        return self._guarded("output", name, lambda: evaluated(self._outputs[name].get("value"), self))


@dataclass(frozen=True, slots=True)
class _Later:
    """A module's argument, evaluated in its caller's scope when it is needed."""

    value: object
    scope: Scope
    caller: _Module

    def whole(self) -> object:
        return self.caller._kept(self.value, self.scope, "argument")  # noqa: SLF001 — of this module

    def part(self, key: object) -> object:
        return part(self.whole(), key)


@dataclass(frozen=True, slots=True)
class _Each:
    """Data that is read several times; every one is as unknown as the other."""

    instance: _Instance

    def part(self, _key: object) -> object:
        return self.instance

    def whole(self) -> object:
        return self.instance.whole()
