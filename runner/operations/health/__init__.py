"""Health: what is looked at (`vitals`), what is judged wrong (`rules`), what of that is told and
when (`alerts`), and how it reaches people (`outbox`). `watch` does one look after another."""
