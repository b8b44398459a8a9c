"""What any process does, whatever it computes."""
