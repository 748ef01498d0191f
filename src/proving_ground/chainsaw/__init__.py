"""The engine that runs Chainsaw Test files (``chainsaw.kyverno.io/v1alpha1``) as pytest items, without a binary."""
