"""The stores on an engine: the local cloud, or DynamoDB Local with ``--dynamodb-local``; on moto in tests/unit.

A new store: its tests use ``table``, ``put``, ``rows`` or ``calls``, and tests/unit imports them (`test_store_carts`).
"""
