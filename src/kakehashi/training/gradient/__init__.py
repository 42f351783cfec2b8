"""Training by gradient descent. Only this folder imports torch."""
