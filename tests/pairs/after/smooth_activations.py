import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
	def __init__(self):
		super().__init__()
		self.fc1 = nn.Linear(64, 64)
		self.fc2 = nn.Linear(64, 64)
		self.fc3 = nn.Linear(64, 64)
		self.head = nn.Linear(64, 1)
		nn.init.normal_(self.fc1.weight, std=self.fc1.in_features**-0.5)
		nn.init.normal_(self.fc2.weight, std=1.534 / self.fc2.in_features**0.5)
		nn.init.kaiming_normal_(self.fc3.weight, mode="fan_in", nonlinearity="linear")

	def forward(self, x):
		x = F.silu(self.fc1(x))
		x = F.gelu(self.fc2(x))
		x = F.selu(self.fc3(x))
		return self.head(x)
