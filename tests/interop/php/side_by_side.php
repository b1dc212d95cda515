<?php
/**
 * PHP's half of a long run beside Python, for `seconds`. Each `role` has its loop:
 *
 * - enqueue: every `pause` ms one action of each kind for both sides, and the two chains at the start;
 * - work:    PHP's own runner again and again. Its callbacks note the ids that they were called for in
 *            the file `calls`, and take `lasts` ms.
 *
 * Answers with how much it enqueued or executed.
 */

return function ( array $question ): array {
	$end  = microtime( true ) + $question['seconds'];
	$done = 0;
	if ( 'enqueue' === $question['role'] ) {
		foreach ( array( 'py', 'php' ) as $side ) {
			as_schedule_recurring_action( time(), 3, "{$side}_interop_chain", array( 'chain' ), 'interop-sides' );
		}
		while ( microtime( true ) < $end ) {
			foreach ( array( 'py', 'php' ) as $side ) {
				as_enqueue_async_action( "{$side}_interop_async", array( ++$done ), 'interop-sides' );
				as_schedule_single_action( time() + wp_rand( 0, 2 ), "{$side}_interop_single", array( ++$done ), 'interop-sides' );
			}
			usleep( $question['pause'] * 1000 );
		}
		return array( 'done' => $done );
	}
	$current = 0;
	add_action(
		'action_scheduler_before_execute',
		function ( $id ) use ( &$current ) {
			$current = (int) $id;
		}
	);
	foreach ( array( 'async', 'single', 'chain' ) as $kind ) {
		add_action(
			"php_interop_$kind",
			function () use ( &$current, $question ) {
				file_put_contents( $question['calls'], "$current\n", FILE_APPEND );
				usleep( $question['lasts'] * 1000 );
			}
		);
	}
	add_filter(
		'action_scheduler_queue_runner_concurrent_batches',
		function () {
			return 5;
		}
	);
	while ( microtime( true ) < $end && ! file_exists( $question['stop'] ) ) {
		try {
			$now = ActionScheduler_QueueRunner::instance()->run( 'WP CLI' );
		} catch ( RuntimeException $lost ) { // Its claim was the victim of a deadlock; the log tells of it.
			$now = 0;
		}
		$done += $now;
		if ( ! $now ) {
			usleep( 100000 );
		}
	}
	return array( 'done' => $done );
};
