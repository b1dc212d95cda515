"""Channels by which an alert reaches people: e-mail, Slack, or a function of the site's own."""
