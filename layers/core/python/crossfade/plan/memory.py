"""Plans in memory: for tests and for trying things out."""

from __future__ import annotations

from crossfade.errors import BadInput
from crossfade.plan.document import MigrationPlan, digest
from crossfade.plan.store import PlanRef


class MemoryPlanStore:
    """`PlanStore` that is gone when the process is. Every `put` makes a version."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], list[bytes]] = {}

    def put(self, bucket: str, key: str, document: MigrationPlan | bytes) -> PlanRef:
        """Keep a plan and return how it is asked for."""
        raw = document if isinstance(document, bytes) else document.to_json().encode()
        versions = self._kept.setdefault((bucket, key), [])
        versions.append(raw)
        return PlanRef(bucket=bucket, key=key, version=f"v{len(versions)}", sha256=digest(raw))

    def get(self, ref: PlanRef) -> bytes:
        """See `PlanStore`."""
        versions = self._kept.get((ref.bucket, ref.key), [])
        named = {f"v{at}": raw for at, raw in enumerate(versions, start=1)}
        wanted = ref.version or f"v{len(versions)}"
        if wanted not in named:
            raise BadInput(f"there is no plan at s3://{ref.bucket}/{ref.key}, version {wanted}")
        return named[wanted]
