"""Reads CloudFormation templates."""

from __future__ import annotations

from crossfade.mesh.template import load_template

__all__ = ["load_template"]
