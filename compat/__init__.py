"""Facts of WordPress, PHP and Action Scheduler: pure functions, standard library only."""
