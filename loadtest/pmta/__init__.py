"""A stand-in for PowerMTA: takes mail over SMTP, writes its accounting, delivers nothing.

It behaves as the PowerMTA 5.0 User's Guide describes the parts a feeder can see: which VirtualMTA
a message asked for, what is refused and in which words, and which accounting records follow. What
it leaves out on purpose: queues with rates, DNS, connections to the world, Received headers.

The misbehaviour tests need is asked for by recipient (``magic.py``) or switched by HTTP
(``faults.py``), so that a client under test never has to know it is talking to a stand-in.
"""
