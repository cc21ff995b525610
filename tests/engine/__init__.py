"""What needs the engine itself: DynamoDB Local, in `make test-engine`."""
