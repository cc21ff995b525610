"""The stores on an engine: the local cloud, or DynamoDB Local with ``--dynamodb-local``; on moto in tests/unit.

The tests of a new store use ``table``, ``put``, ``rows`` or ``calls``, and tests/unit imports them (`test_store_carts`).
"""
