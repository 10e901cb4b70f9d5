"""How an edge follows the emulated AWS: it looks again and again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.dataplane.children import ChildEnded

LOOK_SECONDS = 0.25

logger = logging.getLogger(__name__)


def follow(look: Callable[[], None], what: str, stopped: threading.Event) -> None:
    """Look until stopped. A look that fails is named once, with `what` could not be followed, and repeated."""
    complaint = ""
    while not stopped.wait(LOOK_SECONDS):
        try:
            look()
            complaint = ""
        except (BotoCoreError, ClientError, ChildEnded, OSError) as error:
            if not stopped.is_set() and str(error) != complaint:
                complaint = str(error)
                logger.warning("the data plane could not follow %s: %s", what, complaint)
