"""Compiled parts of the pipeline, used where the package was built with a C compiler."""
