"""What the user wants and gets: sweep files, search spaces, plans and the command line.

This folder may import `cluster`, `trainers` and `data_shards`; nothing imports it. It knows no Ray and no
torch maths: typer, rich, pydantic and yaml live here and stay here. Import the modules themselves, not
names from here.
"""
