"""The handlers of functions/ with the events of events/, over a table that moto plays."""
