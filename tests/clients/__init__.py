"""Doofinder's released client libraries, unmodified, against the Search API of a local cloud."""
