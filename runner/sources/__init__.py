"""Where actions are leased from: claim, advance, release."""
