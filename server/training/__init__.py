"""Preparing data and training the models."""
