"""The rules of carts: plain Python, no AWS, no HTTP, no clock."""
