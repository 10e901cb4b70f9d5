"""What the source says: the mesh and the ECS services as a team holds them."""
