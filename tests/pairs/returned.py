from torch import nn


def build(width=64):
    """A small perceptron."""
    return nn.Sequential(
        nn.Linear(16, width),
        nn.ReLU(),
        nn.Linear(width, width),  # hidden
        nn.ReLU(),
        nn.Linear(width, 1),
    )
