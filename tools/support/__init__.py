"""Helpers of bench, the tests and the other tools: the template, events, sizes, figures, and clients of the APIs."""
