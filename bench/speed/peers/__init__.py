"""The other libraries, each with its recommended recipe; optional: `pip install -e ".[speed]"` installs them."""
