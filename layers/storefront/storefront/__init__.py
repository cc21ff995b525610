"""The cart backend's own package, shared by its functions.

Dependencies point inward: ``domain`` knows nobody; ``service`` knows the domain; ``store`` (DynamoDB) and ``web`` (API
Gateway) know both and not each other; the functions wire them. ``tokens`` and ``log`` stand alone, because the
authorizer loads little else.
"""
