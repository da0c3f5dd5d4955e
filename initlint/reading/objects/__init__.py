"""Classes and modules: of the files read and of torch.nn; made, furnished and called."""
