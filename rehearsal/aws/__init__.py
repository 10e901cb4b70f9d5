"""The embedded AWS: one process on loopback that runs the product's real stack without an AWS account."""
