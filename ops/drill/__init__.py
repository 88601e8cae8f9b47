"""Break a copy on purpose, recover it with the code an operator would use, and prove the result item by item."""
