"""The tests: ``unit`` opens no socket, ``integration`` runs on moto, ``e2e`` over HTTP against the local cloud."""
