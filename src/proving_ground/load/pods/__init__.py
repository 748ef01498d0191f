"""A load that is made in a cluster: a master pod and its workers, in a namespace of their own."""
