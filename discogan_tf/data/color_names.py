"""Names of colors by the eleven basic color terms of English (Berlin and Kay 1969)."""

BASIC_COLORS = (
    "black", "white", "red", "green", "yellow", "blue", "brown", "orange", "pink", "purple", "gray",
)  # fmt: skip
_BASIC = {
    "beige": "brown",
    "bronze": "brown",
    "burgundy": "red",
    "charcoal": "gray",
    "copper": "brown",
    "cream": "white",
    "gold": "yellow",
    "grey": "gray",
    "khaki": "brown",
    "lavender": "purple",
    "magenta": "pink",
    "maroon": "red",
    "mauve": "purple",
    "melange": "gray",
    "metallic": "gray",
    "mustard": "yellow",
    "navy": "blue",
    "nude": "pink",
    "olive": "green",
    "peach": "pink",
    "rose": "pink",
    "rust": "brown",
    "silver": "gray",
    "skin": "pink",
    "steel": "gray",
    "tan": "brown",
    "taupe": "brown",
    "teal": "blue",
    "turquoise": "blue",
}


def basic_color(name: str) -> str:
    """The basic color of a name, or the name itself, in lower case, if it has none.

    >>> basic_color("Navy Blue"), basic_color("Off White"), basic_color("Maroon")
    ('blue', 'white', 'red')
    >>> basic_color("Multi")
    'multi'
    """
    words = name.lower().split()
    for word in reversed(words):
        if word in BASIC_COLORS or word in _BASIC:
            return _BASIC.get(word, word)
    return " ".join(words)
