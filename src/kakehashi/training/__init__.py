"""Training by gradient descent. What is trained here serves with NumPy; only this needs torch."""
