"""A sweep file checked against its system, its data and its machine: every number settled before anything runs."""
