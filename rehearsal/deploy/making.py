"""What a function that makes one type of resource is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from botocore.model import ListShape, StructureShape

from rehearsal.deploy.errors import PropertyRefused
from rehearsal.deploy.names import physical_name
from rehearsal.deploy.request import api_input, as_text, member_of

_NOTHING: Mapping[str, str] = {}


class Aws(Protocol):
    """Where a stack is deployed to: the embedded AWS, or anything else that hands out boto3 clients."""

    def client(self, service_name: str, /) -> Any:
        """Return a boto3 client of this service."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is the same for every resource of one deployment."""

    stack: str
    region: str
    account: str
    partition: str
    url_suffix: str
    tags: Mapping[str, str]
    period_scale: float
    clients: Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Made:
    """
    A resource that exists.

    Attributes:
        physical_id: What `Ref` returns.
        attributes: What `Fn::GetAtt` returns, by attribute name.
        steady: Asked again and again until it is true, before anything that refers to the
            resource is made; it raises NeverSteady when there is no hope. None: steady at once.
    """

    physical_id: str
    attributes: Mapping[str, object] = field(default_factory=dict)
    steady: Callable[[], bool] | None = None


class New:
    """
    A resource about to be made: its properties, taken one by one, and the place it goes to.

    Every property is either taken by name or passed on by `call`, which refuses what the
    operation does not know. What nobody took is refused by `nothing_left`.
    """

    def __init__(self, place: Place, logical_id: str, type_name: str, properties: Mapping[str, Any]) -> None:
        self.place = place
        self.logical_id = logical_id
        self.type = type_name
        self._left: dict[str, Any] = dict(properties)

    # -- properties -----------------------------------------------------------

    def take(self, name: str, default: Any = None) -> Any:
        """Return a property and mark it as dealt with; `default` when it is absent."""
        return self._left.pop(name, default)

    def need(self, name: str) -> Any:
        """Return a property that must be there, and mark it as dealt with."""
        if name not in self._left:
            raise PropertyRefused(f"property {name} is missing")
        return self._left.pop(name)

    def look(self, name: str, default: Any = None) -> Any:
        """Return a property and leave it to be passed on."""
        return self._left.get(name, default)

    def name(self, name: str, *, longest: int, lower: bool = False) -> str:
        """Take the property that names the resource, or make up a name of at most `longest` characters."""
        given = self.take(name)
        return self.made_up(longest=longest, lower=lower) if given is None else as_text(given)

    def made_up(self, *, longest: int, lower: bool = False) -> str:
        """Return the name CloudFormation would make up, of at most `longest` characters."""
        where = f"{self.place.account}/{self.place.region}"
        return physical_name(self.place.stack, self.logical_id, place=where, longest=longest, lower=lower)

    def tags(self) -> dict[str, str]:
        """Take the property Tags and return it over the stack's own tags."""
        return {**self.place.tags, **pairs(self.take("Tags", {}), "Tags")}

    def nothing_left(self) -> None:
        """Refuse properties that nobody took."""
        if self._left:
            raise PropertyRefused(
                f"{', '.join(sorted(self._left))}: not a property the deployer knows, and it drops none"
            )

    # -- the API --------------------------------------------------------------

    def client(self, service: str) -> Any:
        """Return the boto3 client of a service."""
        return self.place.clients(service)

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource in the stack's account and Region."""
        return f"arn:{self.place.partition}:{service}:{self.place.region}:{self.place.account}:{resource}"

    def call(
        self,
        service: str,
        operation: str,
        /,
        *,
        renames: Mapping[str, str] = _NOTHING,
        tag_as: str | None = None,
        **fixed: Any,
    ) -> Any:
        """
        Call an operation with every property not yet taken, and return its answer.

        Tags go with it wherever the operation takes any.

        Args:
            service: boto3's name of the service.
            operation: boto3's name of the operation.
            renames: CloudFormation's names that differ from the API's by more than case.
            tag_as: For EC2, the resource type that its TagSpecifications name.
            fixed: Arguments in the API's own spelling.

        Raises:
            PropertyRefused: a property is not the operation's, or does not fit it.
        """
        client = self.client(service)
        shape = _input_shape(client, operation)
        if tag_as is not None:
            if tags := self.tags():
                fixed["TagSpecifications"] = [{"ResourceType": tag_as, "Tags": key_values(tags)}]
        elif (member := member_of(shape, "Tags")) is not None and (tags := self.tags()):
            fixed[member] = _tags_as(shape, member, tags)
        passed, self._left = self._left, {}
        return getattr(client, operation)(**api_input(passed, shape, "", renames), **fixed)

    def shaped(self, service: str, operation: str, member: str, value: object, **renames: str) -> Any:
        """Return one value as a member of an operation's input wants it; member as the API spells it."""
        shape = _input_shape(self.client(service), operation).members[member]
        return api_input(value, shape, member, renames)


def _input_shape(client: Any, operation: str) -> StructureShape:
    name = client.meta.method_to_api_mapping[operation]
    shape = client.meta.service_model.operation_model(name).input_shape
    assert isinstance(shape, StructureShape)  # every operation named in this package takes input
    return shape


def _tags_as(shape: StructureShape, member: str, tags: Mapping[str, str]) -> Any:
    wanted = shape.members[member]
    if not isinstance(wanted, ListShape):
        return dict(tags)
    pair = wanted.member
    assert isinstance(pair, StructureShape)  # tags are a map or a list of pairs
    key, value = (member_of(pair, name) or member_of(pair, f"Tag{name}") or name for name in ("Key", "Value"))
    return [{key: name, value: text} for name, text in tags.items()]


def pairs(value: object, where: str) -> dict[str, str]:
    """
    Return a mapping, or a list of Key/Value pairs, as a mapping of texts.

    Raises:
        PropertyRefused: it is neither.
    """
    if isinstance(value, Mapping):
        return {str(key): as_text(item) for key, item in value.items()}
    if isinstance(value, list) and all(isinstance(item, Mapping) and item.keys() == {"Key", "Value"} for item in value):
        return {str(item["Key"]): as_text(item["Value"]) for item in value}
    raise PropertyRefused(f"{where} must be a mapping or a list of Key and Value, not {value!r}")


def key_values(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as the list of Key and Value most of AWS takes."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def only(value: object, where: str, *names: str) -> Mapping[str, Any]:
    """
    Return a mapping that holds these names and no others.

    Raises:
        PropertyRefused: it is no mapping, lacks one of them, or holds another.
    """
    if not isinstance(value, Mapping):
        raise PropertyRefused(f"{where} must be a mapping, not {value!r}")
    if missing := [name for name in names if name not in value]:
        raise PropertyRefused(f"{where}/{missing[0]} is missing")
    if strange := sorted(value.keys() - set(names)):
        raise PropertyRefused(f"{where}/{strange[0]} is not a property the deployer knows, and it drops none")
    return value


def listed(value: object) -> Sequence[Any]:
    """Return a list as it is, nothing as an empty list, and anything else as a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


Maker = Callable[[New], Made]
