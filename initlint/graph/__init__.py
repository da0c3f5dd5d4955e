"""The language in which both engines write down what a model computes, and all that it means."""
