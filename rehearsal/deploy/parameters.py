"""
A template's parameters: declared types and constraints against given values.

Source: AWS CloudFormation User Guide, "Parameters section template syntax".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rehearsal.deploy.errors import TemplateRefused
from rehearsal.deploy.request import as_text

_KNOWN = frozenset(
    {
        "Type",
        "Default",
        "AllowedValues",
        "AllowedPattern",
        "ConstraintDescription",
        "Description",
        "MinLength",
        "MaxLength",
        "MinValue",
        "MaxValue",
        "NoEcho",
    }
)
_PLAIN = frozenset({"String", "Number", "CommaDelimitedList", "List<Number>", "List<String>"})

Value = str | list[str]


def parameter_values(declared: Mapping[str, Mapping[str, Any]], given: Mapping[str, object]) -> dict[str, Value]:
    """
    Return the value of every declared parameter: text, or a list of texts for the list types.

    Raises:
        TemplateRefused: a value is missing, unknown, against its constraints, or of a type that
            is looked up in an account (`AWS::SSM::Parameter::…`). All faults are named at once.
    """
    faults = [f"parameter {name} is given but not declared" for name in given if name not in declared]
    values: dict[str, Value] = {}
    for name, declaration in declared.items():
        try:
            values[name] = _value(name, declaration, given.get(name, declaration.get("Default")))
        except TemplateRefused as fault:
            faults.append(str(fault))
    if faults:
        raise TemplateRefused("; ".join(faults))
    return values


def _value(name: str, declaration: Mapping[str, Any], found: object) -> Value:
    strange = sorted(set(declaration) - _KNOWN)
    if strange:
        raise TemplateRefused(f"parameter {name} has unknown settings: {', '.join(strange)}")
    kind = str(declaration.get("Type", ""))
    if kind.startswith("AWS::SSM::"):
        raise TemplateRefused(f"parameter {name} is of type {kind}; its value lives in an account, give it as a String")
    if kind not in _PLAIN and not kind.startswith(("AWS::", "List<AWS::")):
        raise TemplateRefused(f"parameter {name} has no known type: {kind or 'none'}")
    if found is None:
        raise TemplateRefused(f"parameter {name} has neither a value nor a default")
    text = ",".join(as_text(item) for item in found) if isinstance(found, list | tuple) else as_text(found)
    listed = kind == "CommaDelimitedList" or kind.startswith("List<")
    items = [item.strip() for item in text.split(",")] if listed else [text]
    for item in items:
        fault = _fault(item, kind, declaration)
        if fault:
            told = declaration.get("ConstraintDescription")
            raise TemplateRefused(f"parameter {name}: {item!r} {fault}" + (f" ({told})" if told else ""))
    return items if listed else text


def _fault(item: str, kind: str, declaration: Mapping[str, Any]) -> str | None:
    allowed = declaration.get("AllowedValues")
    pattern = declaration.get("AllowedPattern")
    if allowed is not None and item not in [as_text(value) for value in allowed]:
        return f"is none of {', '.join(as_text(value) for value in allowed)}"
    if pattern is not None and re.fullmatch(str(pattern), item) is None:
        return f"does not match {pattern}"
    if len(item) < int(declaration.get("MinLength", 0)):
        return f"is shorter than {declaration['MinLength']} characters"
    if "MaxLength" in declaration and len(item) > int(declaration["MaxLength"]):
        return f"is longer than {declaration['MaxLength']} characters"
    return _number_fault(item, declaration) if kind in ("Number", "List<Number>") else None


def _number_fault(item: str, declaration: Mapping[str, Any]) -> str | None:
    try:
        number = float(item)
    except ValueError:
        return "is no number"
    if "MinValue" in declaration and number < float(declaration["MinValue"]):
        return f"is below {declaration['MinValue']}"
    if "MaxValue" in declaration and number > float(declaration["MaxValue"]):
        return f"is above {declaration['MaxValue']}"
    return None
