"""What a request costs: time against the bare database calls, calls and units, dollars (`make bench`)."""
