"""The data plane of a rehearsal: real Envoy proxies, stand-in tasks that can fail, an edge, and a load driver."""

from rehearsal.dataplane.dataplane import DataPlane
from rehearsal.dataplane.edge import ShareSeen
from rehearsal.dataplane.envoy import EnvoyMissing, EnvoyRefused, find_envoy, version
from rehearsal.dataplane.load import Load, Second, Snapshot, Totals, Users
from rehearsal.dataplane.proxy import OutlierSettings

__all__ = [
    "DataPlane",
    "EnvoyMissing",
    "EnvoyRefused",
    "Load",
    "OutlierSettings",
    "Second",
    "ShareSeen",
    "Snapshot",
    "Totals",
    "Users",
    "find_envoy",
    "version",
]
