"""End to end: the contract over HTTP, against a stack of the tests' own in the local cloud."""
