<?php
/** Enqueues actions through the public functions; answers with their ids, 0 where refused. */

return function ( array $question ): array {
	$ids = array();
	foreach ( $question['actions'] as $action ) {
		list( $kind, $hook, $args, $when, $recurrence, $group, $priority, $unique ) = $action;
		$rest = array( $hook, $args, $group, $unique, $priority );
		switch ( $kind ) {
			case 'async':
				$ids[] = as_enqueue_async_action( ...$rest );
				break;
			case 'single':
				$ids[] = as_schedule_single_action( $when, ...$rest );
				break;
			case 'recurring':
				$ids[] = as_schedule_recurring_action( $when, $recurrence, ...$rest );
				break;
			case 'cron':
				$ids[] = as_schedule_cron_action( $when, $recurrence, ...$rest );
		}
	}
	return $ids;
};
