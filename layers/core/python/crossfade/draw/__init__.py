"""A plan, drawn from what the sources hold."""
