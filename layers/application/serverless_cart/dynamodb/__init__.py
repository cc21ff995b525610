"""What is kept in DynamoDB, and the statements that keep it."""
