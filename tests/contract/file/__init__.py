"""The file backend: the contract, and what only files promise."""
