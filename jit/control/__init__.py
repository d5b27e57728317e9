"""Control flow on data: functions that run eagerly, differentiate, trace and compile.

In a trace each records the functions it is given as regions of one node.
"""
