"""What is asked about: a manual of a pump that does not exist, and texts that are longer than the model's window."""

QUESTION = "What is the maintenance code of the Zephyr-9 pump?"
FACT = "7315"
# The fact stands at the beginning: so small a model answers with what it reads first.
MANUAL = """The maintenance code of the Zephyr-9 pump is 7315.

The pump moves clean water from a cellar or a well to a tank. It must not be used for salt water, oil or food.

Once a year the filter is cleaned and the seals are looked at. The lamp turns blue, and the lid can be lifted.
"""

# Sentences with a place for a number. Tokenizers take them very differently: of prose four bytes are a token and more,
# of digits and of Chinese a byte or two.
KINDS = {
    "english": "River number {0} rises in the hills, passes {1} villages and a mill, and carries {2} boats on a market day.",
    "portuguese": "O rio (river) número {0} nasce na serra, atravessa {1} povoações e um moinho (mill), e não é navegável além"
                  " da {2}.ª estação.",
    "digits": "{0}{1}{2}-{2}{1}{0} river {1}.{0}.{2}/{2}{0}{1} 0x{0:08x} {1:013d} {2:013d};",
    "chinese": "第{0}条河流发源于山区，流经{1}个村庄和一座磨坊，在集市日有{2}艘船只往来。river",
    "code": "    if (river[{0}]->flow >= {1} && !(*mills)[{2}]) {{ river[{0}]->next = &mills[{1}]; ++boats; }}  // {2}\n",
    "emoji": "🏞️🌊 river {0} 🚣‍♀️🛶×{1} 🏘️{2} 🐟🐠🐡🦆⛰️",
}


def long_text(kind, sentences=600):
    """About thirty times what the model's window takes."""
    lines = [KINDS[kind].format(n, n * 7919 % 9973, n * 104729 % 99991) for n in range(1, sentences + 1)]
    return "\n\n".join(" ".join(lines[at:at + 6]) for at in range(0, sentences, 6))


COLLECTIONS = {
    "pump": [("zephyr-9.txt", MANUAL.encode())],
    **{f"rivers-{kind}": [(f"rivers-{kind}.txt", long_text(kind).encode())] for kind in KINDS},
}
