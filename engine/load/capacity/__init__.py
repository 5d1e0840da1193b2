"""Capacity: what a design needs at a scale that no test machine has, from what a load has measured on one.

A discrete-event model on SimPy, whose every service time comes from a load's result file: the server is a resource with one
place (it executes one command at a time), functions are instances that start cold, serve one call at a time and are limited in
number, traffic follows the day. `designs` says which requests a design sends when, `measured` reads the load, `day` makes the
traffic, `model` is the model, `study` runs it over volumes and writes the result.

What it leaves out: the network's own limits, persistence (`appendfsync always` is not in the service times), failures, and that
a buffer's length slows `lua` (the service times are those of the load's buffers).
"""
