"""Edges: how traffic is divided between blue and green, and put back."""
