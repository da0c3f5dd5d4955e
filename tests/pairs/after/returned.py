from torch import nn


def build(width=64):
    """A small perceptron."""
    model = nn.Sequential(
        nn.Linear(16, width),
        nn.ReLU(),
        nn.Linear(width, width),  # hidden
        nn.ReLU(),
        nn.Linear(width, 1),
    )
    nn.init.kaiming_normal_(model[2].weight, mode="fan_in", nonlinearity="relu")
    return model
