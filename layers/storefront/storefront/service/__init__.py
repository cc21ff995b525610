"""What a request does, over whatever store it is given: read, decide by the domain's rules, write once, price."""
