"""What Crossfade decides and reads, measured and compared."""
