"""HTTP: API Gateway's events in, the contract's answers out."""
