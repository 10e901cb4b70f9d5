"""Executions of our own state machines."""
