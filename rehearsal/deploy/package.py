"""
What `sam build` and `sam package` do to a template, straight from the source tree.

Function folders become zips, the layer's own package becomes a zip under `python/`, state
machine files become JSON; all go to S3 and the template then points at them there. Third-party
code is in no zip: the embedded AWS runs handlers in the interpreter that has it installed.
The same source gives the same bytes, and their SHA-256 is the object's key.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from crossfade.errors import BadInput
from crossfade.mesh.template import load_yaml
from rehearsal.deploy.errors import TemplateRefused

_LEFT_OUT = frozenset({"__pycache__", ".DS_Store", ".mypy_cache", ".ruff_cache", ".pytest_cache"})
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment a zip can tell


def package(document: Mapping[str, Any], root: Path, s3: Any, *, bucket: str, region: str) -> dict[str, Any]:
    """
    Upload what a SAM template's resources point at, and return the template pointing there.

    Args:
        document: The SAM template as data.
        root: The folder its paths start from.
        s3: A boto3 S3 client.
        bucket: Where the packages go; made when it is missing.
        region: Where that bucket lies.

    Raises:
        TemplateRefused: a folder, handler or definition file is missing or unreadable.
    """
    packaged: dict[str, Any] = copy.deepcopy(dict(document))
    shared = (packaged.get("Globals") or {}).get("Function") or {}
    common = shared.pop("CodeUri", None)
    store = _Store(s3, bucket, region)
    for logical_id, resource in (packaged.get("Resources") or {}).items():
        properties = resource.setdefault("Properties", {})
        metadata = resource.get("Metadata") or {}
        kind = resource.get("Type")
        if kind == "AWS::Serverless::Function" and "InlineCode" not in properties:
            code = properties.get("CodeUri", common)
            handler = properties.get("Handler", shared.get("Handler"))
            if not isinstance(code, Mapping):
                properties["CodeUri"] = store.put(_function(logical_id, root, code, handler))
        elif kind == "AWS::Serverless::LayerVersion" and isinstance(properties.get("ContentUri"), str):
            properties["ContentUri"] = store.put(_layer(logical_id, root / properties["ContentUri"], metadata))
        elif kind == "AWS::Serverless::StateMachine" and isinstance(properties.get("DefinitionUri"), str):
            properties["DefinitionUri"] = store.put(_definition(logical_id, root / properties["DefinitionUri"]))
    return packaged


class _Store:
    def __init__(self, s3: Any, bucket: str, region: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._put: set[str] = set()
        if bucket not in {found["Name"] for found in s3.list_buckets()["Buckets"]}:
            where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
            s3.create_bucket(Bucket=bucket, **where)

    def put(self, body: bytes) -> dict[str, str]:
        key = hashlib.sha256(body).hexdigest()
        if key not in self._put:
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=body)
            self._put.add(key)
        return {"Bucket": self._bucket, "Key": key}


def _function(logical_id: str, root: Path, code: object, handler: object) -> bytes:
    if not isinstance(code, str) or not isinstance(handler, str):
        raise TemplateRefused(f"{logical_id}: CodeUri and Handler must both be given, as texts")
    folder = root / code
    module = folder.joinpath(*handler.rpartition(".")[0].split(".")).with_suffix(".py")
    if not module.is_file():
        raise TemplateRefused(f"{logical_id}: handler {handler} needs {module.relative_to(root)}, which is missing")
    return zipped({path.relative_to(folder).as_posix(): path for path in _files(folder)})


def _layer(logical_id: str, content: Path, metadata: Mapping[str, Any]) -> bytes:
    """Zip a layer: what its build would put under `python/`, less the third-party packages."""
    method = str(metadata.get("BuildMethod", ""))
    if method == "makefile":
        source, prefix = content / "python", "python/"
    elif method.startswith("python"):
        source, prefix = content, "python/"
    else:
        source, prefix = content, ""
    if not source.is_dir():
        raise TemplateRefused(f"{logical_id}: the layer's folder {source} is missing")
    return zipped({prefix + path.relative_to(source).as_posix(): path for path in _files(source)})


def _definition(logical_id: str, path: Path) -> bytes:
    try:
        text = path.read_text(encoding="utf-8")
        return json.dumps(load_yaml(text, path.name), indent=1, ensure_ascii=False).encode()
    except (OSError, BadInput, TypeError) as error:
        raise TemplateRefused(f"{logical_id}: the definition cannot be read: {error}") from error


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and not _LEFT_OUT.intersection(inside.parts) and path.suffix != ".pyc":
            yield path


def zipped(files: Mapping[str, Path]) -> bytes:
    """Return a zip of these files, name inside to path; the same contents give the same bytes."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name].read_bytes())
    return body.getvalue()
