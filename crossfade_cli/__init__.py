"""The `crossfade` command."""
