"""Turn records into the table, its marks and its files."""
