"""What suites and the command line use to test an autoscaler of inference workloads (BudAIScaler)."""
