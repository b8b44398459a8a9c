"""Records to the table, its marks and its files."""
