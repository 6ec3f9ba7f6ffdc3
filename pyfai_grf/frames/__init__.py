"""Reading detector images and stacks, and which of their pixels may be used."""
