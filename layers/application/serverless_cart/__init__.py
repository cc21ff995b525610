"""The cart backend's package, shared by its functions.

Dependencies point inward: ``domain`` imports nothing of the package; ``service`` imports the domain; ``dynamodb`` and
``web`` (API Gateway) import both, and never each other; ``bootstrap`` composes them for the functions.
"""
