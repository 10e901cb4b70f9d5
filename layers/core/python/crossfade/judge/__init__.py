"""Whether green may have more: signals, readings, verdicts, answers."""
