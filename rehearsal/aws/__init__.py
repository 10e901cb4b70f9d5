"""The embedded AWS: one process on loopback that runs the product's real stack without an AWS account."""

from __future__ import annotations

from rehearsal.aws.server import EmbeddedAws, in_process

__all__ = ["EmbeddedAws", "in_process"]
