"""The cart backend's own package, shared by its functions.

Dependencies point inward: ``domain`` knows nobody; ``service`` knows the domain; ``store`` (DynamoDB) and ``web`` (API
Gateway) know both and not each other; the functions wire them. ``tokens`` stands alone, because the authorizer loads
little else.
"""

from typing import Final

METRICS_NAMESPACE: Final = "ServerlessCart"
"""The namespace of every metric in CloudWatch."""
