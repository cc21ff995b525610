"""What the tests share: builders, clients, the functions in one process."""
