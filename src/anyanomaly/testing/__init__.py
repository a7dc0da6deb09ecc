"""What plugin authors test with: fakes, made videos, contracts. Ships with the core."""
