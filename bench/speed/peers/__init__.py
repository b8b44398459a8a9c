"""The other libraries, each with the recipe that it recommends: optional, `pip install -e ".[speed]"` brings them."""
