"""What people do: how they move, where they face, and who of them is followed."""
