"""Tests that need DynamoDB Local."""
