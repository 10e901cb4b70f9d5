"""The only glue: the handler decorator, the composition root, clients and settings."""
