"""Many runs: a sweep file, its cells, and what runs them."""
