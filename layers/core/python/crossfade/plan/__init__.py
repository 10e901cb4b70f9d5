"""The plan document: one migration, drawn once, read by people and machines."""
