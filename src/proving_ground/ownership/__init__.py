"""What a run owns on this machine, and how all of it is found and removed."""
