# expected: nothing | 4,8
from torch import nn


class AC(nn.Module):
    def __init__(self, s=8, a=3):
        super().__init__()
        self.actor = nn.Sequential(
            nn.Linear(s, 64), nn.Tanh(), nn.Linear(64, a), nn.Softmax(dim=-1)
        )
        self.critic = nn.Sequential(nn.Linear(s, 64), nn.Tanh(), nn.Linear(64, 1))

    def forward(self, x):
        return self.actor(x), self.critic(x)
