"""The database floor: connections, transactions, and the SQL of `sql/` by name."""
