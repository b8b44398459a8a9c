"""What the machinery costs, one file a question: `python -m bench.speed` asks all of them."""
