"""Green: created, deployed once more where a circle needs it, and verified before it has a share."""
