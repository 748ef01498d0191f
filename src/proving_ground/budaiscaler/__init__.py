"""Stand-in of the BudAIScaler controller: scales real workloads by real metrics, as its API promises."""
