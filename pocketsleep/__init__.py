"""A local assistant that sleeps: what you said by day becomes a small personal LoRA by night."""

__version__ = "0.1.0"
