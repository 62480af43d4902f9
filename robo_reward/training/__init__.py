"""Fit reward models to recorded episodes, and keep them as folders that rebuild them."""
