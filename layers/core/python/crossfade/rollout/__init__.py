"""Where a migration is, and which moves are legal from there."""
