#!/usr/bin/python3
"""embed.py IN OUT NAME: a text file as a C array, so that the program needs no files."""
import sys

with open(sys.argv[1], "rb") as f:
    data = f.read() + b"\0"
with open(sys.argv[2], "w") as f:
    f.write(f"extern const char {sys.argv[3]}[];\nconst char {sys.argv[3]}[] = {{\n")
    for i in range(0, len(data), 20):
        f.write(",".join(str(b) for b in data[i:i + 20]) + ",\n")
    f.write("};\n")
