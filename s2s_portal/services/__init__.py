"""The verbs of the service, one module for each: primitives and an actor in, domain errors out.

Services flush and never commit; a view commits once, through `unit_of_work`.
"""
