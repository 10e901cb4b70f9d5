"""What Service Connect shall say: endpoints, roles, gaps, and green's task definitions."""
