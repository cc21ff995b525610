"""Pages in a real browser, on the local cloud: `make test-browser` runs them."""
