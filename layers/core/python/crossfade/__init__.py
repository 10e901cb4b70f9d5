"""Crossfade moves applications on Amazon ECS to ECS Service Connect, and back by itself when the new side is worse."""
