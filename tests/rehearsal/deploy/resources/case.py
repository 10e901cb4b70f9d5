"""What is tried of a resource: a template, and what the API tells of what was made of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Case = tuple[str, Callable[[Any, dict[str, str]], None]]
