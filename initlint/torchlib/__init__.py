"""Facts about torch: operations, initialisers, creators of tensors; torch is not imported."""
