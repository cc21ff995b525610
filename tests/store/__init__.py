"""The stores on real engines: moto and the local cloud in `make test`, DynamoDB Local in `make test-engine`.

Every statement that a store makes is made here, on each of them. A new store brings a file of its own, whose tests ask
for ``table``, ``put``, ``rows`` or ``calls``; they then run on every engine.
"""
