"""Measures an inference server under load, and itself while it does so.

The load is made by locust, whose library changes the process that it is loaded into, so it runs in processes of its
own (`proving_ground.load.measured.process`). This package imports nothing: locust has to come first there.
"""
