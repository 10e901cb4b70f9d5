"""How long a plan takes to draw, and how much memory, as the number of services grows."""
