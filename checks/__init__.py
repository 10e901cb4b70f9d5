"""Checks that no linter makes: the state machines, the template and its policies, and the diagrams in the docs."""
