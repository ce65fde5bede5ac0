# SPDX-License-Identifier: Apache-2.0
"""Reads tests/vectors; the format is in the README there."""

import os

from sandbox import TOP


class Vector:
    def __init__(self, name):
        self.name = name
        self.packet = b""
        self.expect = None
        self.key = None
        self.frame_bytes = 0

    def set(self, word, value):
        if word == "packet":
            self.packet += bytes.fromhex(value)
        elif word == "expect":
            self.expect = value
        elif word in ("key", "frame_bytes"):
            setattr(self, word, int(value))
        elif (word, value) != ("trimmed", "yes"):
            raise ValueError(f"vectors: bad line '{word} {value}'")

    def frame(self):
        """What a receiver hands on."""
        start = (self.packet[0] & 0xf) * 4 + 8
        return self.packet[start:start + self.frame_bytes]


def all_vectors():
    vectors = []
    for file in ("captured.txt", "made.txt"):
        with open(os.path.join(TOP, "tests/vectors", file)) as lines:
            for line in lines:
                words = line.split()
                if not words or words[0].startswith("#"):
                    continue
                if words[0] == "name":
                    vectors.append(Vector(words[1]))
                else:
                    vectors[-1].set(*words)
    return vectors
