"""What a host's tools say of its GPUs, read into one document for both vendors, and judged."""
