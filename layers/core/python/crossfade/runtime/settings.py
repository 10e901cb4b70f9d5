"""What the template tells a function through its environment."""

from __future__ import annotations

import os
from dataclasses import dataclass

from crossfade.errors import BadInput


@dataclass(frozen=True, slots=True)
class Settings:
    """A function's environment. What a function does not use is empty."""

    journal_table: str
    topic_arn: str = ""
    roll_back_arn: str = ""
    on_proxy_log_arn: str = ""
    watch_rule: str = ""
    undelivered_url: str = ""

    @classmethod
    def from_environment(cls) -> Settings:
        """
        Read the variables that `template.yaml` sets.

        Raises:
            BadInput: JOURNAL_TABLE is missing.
        """
        table = os.environ.get("JOURNAL_TABLE", "")
        if not table:
            raise BadInput("the environment variable JOURNAL_TABLE is empty; deploy the function with template.yaml")
        return cls(
            journal_table=table,
            topic_arn=os.environ.get("TOPIC_ARN", ""),
            roll_back_arn=os.environ.get("ROLL_BACK_ARN", ""),
            on_proxy_log_arn=os.environ.get("ON_PROXY_LOG_ARN", ""),
            watch_rule=os.environ.get("WATCH_RULE", ""),
            undelivered_url=os.environ.get("UNDELIVERED_URL", ""),
        )
