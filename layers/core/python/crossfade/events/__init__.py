"""Events that reach Crossfade, and those it sends."""
