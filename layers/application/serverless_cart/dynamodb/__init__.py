"""The stores: the items of the table and the statements that read and write them (docs/table.md)."""
