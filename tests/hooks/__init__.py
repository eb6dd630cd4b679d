"""What a server's hook takes and refuses: one set of vectors for the shell and for `gitorch.core.admission`."""
