"""One YAML file in, one reproducible Keras training run out."""

__version__ = "0.1.0"
