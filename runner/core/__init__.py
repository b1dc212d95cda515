"""The pure floor: nouns, rules and errors. No I/O, no clock but the one it is given."""
