"""Proof that the contract of secret backends can fail."""
