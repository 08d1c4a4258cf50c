"""The test suite; helpers shared by every area live beside this file."""
