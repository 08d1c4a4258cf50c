"""What the broker tells the outside about itself: metrics and logs."""
