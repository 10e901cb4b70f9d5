"""Crossfade's judge beside its peers' decision rules, in one seeded world."""
