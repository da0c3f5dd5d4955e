from torch import nn


def build(width=64, depth=3):
    model = nn.Sequential()
    for i in range(depth):
        model.append(nn.Linear(width, width))
        model.append(nn.ReLU())
    head = nn.Linear(width, 1)
    model.append(head)
    return model
