"""What the tests share: toy data, vector stores, and a reference search. No fixtures."""
