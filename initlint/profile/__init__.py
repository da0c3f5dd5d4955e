"""The signal through a model, predicted and measured, layer by layer: table, picture, page."""
