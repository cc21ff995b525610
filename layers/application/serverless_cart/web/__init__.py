"""HTTP: parses API Gateway's events and writes the contract's answers (docs/contract.md)."""
