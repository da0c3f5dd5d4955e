import torch
from torch import nn
from torch.nn.init import zeros_


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 64)
        self.fc2 = nn.Linear(64, 64)
        self.fc3 = nn.Linear(64, 64)
        self.fc4 = nn.Linear(64, 64)
        self.head = nn.Linear(64, 1)
        for layer in (self.fc2, self.fc3, self.fc4):
            nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")  # as in the paper
            zeros_(layer.bias)

    def forward(self, x):
        x = torch.relu(self.fc2(torch.relu(self.fc1(x))))
        return self.head(torch.relu(self.fc4(torch.relu(self.fc3(x)))))
