"""How programs and operators reach the broker: the Unix socket API and the ops listener."""
