"""The inference fleet: one process that is the kubelet and the servers of a simulated cluster's pods."""
