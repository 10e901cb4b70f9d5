"""
What SAM makes of the template on the service side, without AWS.

`sam validate --lint` does not look behind the transform: an undefined Ref in a policy or
a misspelt IAM action shows only in the translated template.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from samtranslator.metrics.metrics import DummyMetricsPublisher, Metrics
from samtranslator.parser.parser import Parser
from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.translator.translator import Translator

from checks.finding import Finding
from checks.templates import Template

_LOCAL = ("CodeUri", "ContentUri", "DefinitionUri")
_REGION = "eu-west-1"
_CFN_LINT = "import sys; from cfnlint.runner import main; sys.argv[0] = 'cfn-lint'; sys.exit(main())"
_IGNORED = (
    "W2001",  # the transform leaves parameters unused that the source uses
    "W1020",  # and writes Fn::Sub around texts without variables
)


class Untranslatable(Exception):
    """SAM refuses the template; the message holds its causes."""


def translate(template: Template) -> dict[str, Any]:
    """
    Return the CloudFormation template that SAM's transform makes.

    Local folders become S3 locations, as `sam package` would leave them.

    Raises:
        Untranslatable: SAM refuses the template.
    """
    body = json.loads(json.dumps(copy.deepcopy(template.body), default=str))
    for resource in body.get("Resources", {}).values():
        properties = resource.get("Properties", {})
        for name in _LOCAL:
            if isinstance(properties.get(name), str):
                properties[name] = {"Bucket": "packaged", "Key": properties[name].strip("./").replace("/", "-")}
    session, counts = boto3.Session(region_name=_REGION), Metrics("translation", DummyMetricsPublisher())
    try:
        translated: dict[str, Any] = Translator({}, Parser(), boto_session=session, metrics=counts).translate(body, {})
    except InvalidDocumentException as refused:
        raise Untranslatable("; ".join(str(cause.message) for cause in refused.causes)) from refused
    finally:
        counts.publish()  # to nobody; it warns when left undone
    return translated


def lint(template: Path, *, ignored: tuple[str, ...] = ()) -> Iterator[Finding]:
    """Yield what cfn-lint finds in a template, warnings included."""
    command = [
        sys.executable,
        "-c",
        _CFN_LINT,
        "--format",
        "json",
        "--regions",
        _REGION,
        "--non-zero-exit-code",
        "none",
    ]
    command += ["--ignore-checks", *ignored] if ignored else []
    done = subprocess.run([*command, "--", str(template)], capture_output=True, text=True, check=False)  # noqa: S603 - our own interpreter
    if done.returncode != 0 or not done.stdout.strip():
        yield Finding(template.name, f"cfn-lint failed: {done.stderr.strip() or done.stdout.strip()}")
        return
    for match in json.loads(done.stdout):
        path = ".".join(str(part) for part in match["Location"].get("Path") or [])
        yield Finding(f"{template.name} {path}", f"{match['Rule']['Id']} {match['Message']}")


def lint_translated(translated: dict[str, Any]) -> Iterator[Finding]:
    """Yield what cfn-lint finds in the translated template."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "translated.json"
        path.write_text(json.dumps(translated, indent=1), encoding="utf-8")
        yield from lint(path, ignored=_IGNORED)
