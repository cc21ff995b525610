"""What a request does, over the ports: read, check by the domain's rules, write once, price."""
