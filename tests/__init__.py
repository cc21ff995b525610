"""The tests: ``unit`` opens no socket, ``integration`` runs the functions, ``store`` every engine, ``e2e`` uses HTTP.

``engine`` needs DynamoDB Local; with ``--dynamodb-local``, ``store`` and ``integration`` use it too. ``support`` has
what they share; the cart's rules are in ``support/reference_cart.py``.
"""
