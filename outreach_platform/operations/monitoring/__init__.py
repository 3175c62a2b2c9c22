"""Monitoring: looks at the present state, each of which finds problems.

A look is a plain function; `survey` runs them. What a look reads is disk and the Dagster instance
(cheap), or the object store and the databases (slow: those run hourly and leave a record).
"""
