"""
Chaos: one migration after the other, each with one fault at one chosen place, and what it came to.

The places are not listed anywhere: a clean run is recorded, and every call, state and event in it becomes a
place. See `python -m rehearsal.chaos --help` and docs/chaos.md.
"""
