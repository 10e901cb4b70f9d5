"""The fast way back of an edge whose green has a load balancer of its own."""
