"""The tests: ``unit`` opens no socket, ``store`` runs on every engine, ``integration`` on moto and ``e2e`` over HTTP.

With ``--dynamodb-local`` what needs an engine runs on DynamoDB Local instead, and so does ``engine``, on it alone.
"""
