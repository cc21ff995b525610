"""Rules, parsing and structure, without any socket."""
