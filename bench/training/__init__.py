"""How a model is fitted, stopped and resumed."""
