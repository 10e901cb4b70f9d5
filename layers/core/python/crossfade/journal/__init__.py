"""The migration's memory: intents, results, evidence, ownership, the fence."""
