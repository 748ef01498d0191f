"""Go's regular expressions in Python's; what each matches was seen with Go."""

from __future__ import annotations

import pytest

from proving_ground.chainsaw.patterns import compile_pattern

MATCHES = [
    # the end of the text is the end of the text
    (r"^a$", "a", True),
    (r"^a$", "a\n", False),
    (r"(?m)^b$", "a\nb\nc", True),
    (r"^b$", "a\nb\nc", False),
    (r"a\z", "a", True),
    (r"a\z", "a\n", False),
    # classes are ASCII
    (r"^\d$", "\u0663", False),
    (r"^\w$", "\u00e9", False),
    (r"^[\d.]+$", "1.2", True),
    (r"^[\d]$", "\u0663", False),
    (r"^\D$", "x", True),
    (r"^[[:alpha:]]+$", "ab", True),
    (r"^[[:alpha:]_-]+$", "a-b_c", True),
    (r"^[^[:space:]]+$", "a b", False),
    (r"^\pL+$", "\u00e9a", True),
    (r"^\p{L}+$", "1", False),
    (r"^\PL+$", "12", True),
    (r"\bfoo\b", "a foo b", True),
    (r"^[]a]+$", "a]", True),
    (r"^[^]]$", "]", False),
    (r"[[&&||~]", "[", True),
    # flags anywhere, until their group ends
    (r"(?i)ABC", "abc", True),
    (r"a(?i)B", "ab", True),
    (r"a(?i)B", "Ab", False),
    (r"^(?:a(?i)b|c)d$", "Cd", True),
    (r"^(?:a(?i)b|c)d$", "CD", False),
    (r"a(?i:B)c", "abC", False),
    (r"(?s)a.b", "a\nb", True),
    (r"a.b", "a\nb", False),
    (r"(?i)a(?-i)B", "AB", True),
    (r"(?i)a(?-i)B", "Ab", False),
    # quotes, numbers, names
    (r"\Qa.b\E", "axb", False),
    (r"^\Qa.b", "a.b", True),
    (r"^\x41\x{42}$", "AB", True),
    (r"(?P<n>a)(?<m>b)", "ab", True),
    (r"a{2,}", "aa", True),
    (r"a{,2}", "a{,2}", True),
    (r"a+?b*?", "a", True),
    (r"x*", "", True),
    (r"\.\-\/", ".-/", True),
    (r"\t\n", "\t\n", True),
]


@pytest.mark.parametrize(("pattern", "text", "found"), MATCHES)
def test_a_pattern_finds_what_go_finds(pattern: str, text: str, *, found: bool) -> None:
    assert (compile_pattern(pattern).search(text) is not None) is found


@pytest.mark.parametrize(
    "pattern",
    [
        *("(", ")", "a)b", "[", "[a", "*", "a**", "a++", "a{2}{3}", "(?", "(?<!a)b", "(?<=a)b", "(?=a)", "(?!a)"),
        *(
            "(?>a)",
            "(?#a)",
            "(?P=n)",
            r"(a)\1",
            r"\Z",
            r"\y",
            "\\",
            "[[:nonsense:]]",
            "[b-a]",
            "(?z)",
            "(?U)a",
            r"\p{Greek}",
        ),
    ],
)
def test_what_go_refuses_or_is_not_translated_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        compile_pattern(pattern)
