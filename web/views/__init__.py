"""One blueprint for each noun. GET reads the read model, POST calls `manage`; what makes the answer
a page or JSON is in `answers`."""
