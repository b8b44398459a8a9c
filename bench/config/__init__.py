"""What may be asked for, and what it resolves to."""
