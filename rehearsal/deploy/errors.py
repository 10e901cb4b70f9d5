"""
Why a template was not deployed.

* DeployError
  + TemplateRefused    the template or its parameters cannot be deployed as written; nothing was made
  + DeployFailed       a resource could not be made; what was made before it stays
* PropertyRefused      a property is unknown, missing or malformed; its resource becomes a DeployFailed
* NeverSteady          a resource was made and then failed, or did not become steady in time; likewise
"""

from __future__ import annotations

from collections.abc import Mapping


class DeployError(Exception):
    """A stack was not deployed."""


class TemplateRefused(DeployError):
    """The template or its parameters cannot be deployed as written; nothing of the stack was made."""


class DeployFailed(DeployError):
    """
    A resource could not be made.

    Attributes:
        stack: Name of the stack.
        logical_id: The resource's name in the template.
        type: Such as `AWS::SQS::Queue`.
        reason: What AWS, or the deployer, said.
        stays: Logical to physical id of all that had been made before it; nothing is taken down again.
    """

    def __init__(self, stack: str, logical_id: str, type_name: str, reason: str, stays: Mapping[str, str]) -> None:
        self.stack = stack
        self.logical_id = logical_id
        self.type = type_name
        self.reason = reason
        self.stays = dict(stays)
        kept = ", ".join(f"{name} ({physical})" for name, physical in self.stays.items()) or "nothing"
        super().__init__(
            f"stack {stack}: {logical_id} ({type_name}): {reason}; it may be there in part; left there: {kept}"
        )


class PropertyRefused(Exception):
    """A property is unknown, missing or malformed; the message says which and where."""


class NeverSteady(Exception):
    """A resource was made, then failed or did not become steady in time."""
