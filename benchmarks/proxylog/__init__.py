"""Measures the reader of the proxies' logs against Envoy's own account of its ejections."""
