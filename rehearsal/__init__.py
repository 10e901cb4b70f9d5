"""The embedded AWS and the Envoy data plane: a whole migration on one machine. Not deployed."""
