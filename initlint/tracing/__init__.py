"""The engine that builds and runs: a target becomes a model, its graph, and its Layers."""
