<?php
/**
 * PHP's own runner, until nothing is due. The given hooks get a callback that records its calls;
 * answers with those calls as [id, hook, args]. `period` shortens the seconds of silence after which
 * its cleaner takes work for abandoned; `context` is what the runner calls itself in the log.
 */

return function ( array $question ): array {
	$calls   = array();
	$current = 0;
	if ( isset( $question['period'] ) ) {
		foreach ( array( 'action_scheduler_timeout_period', 'action_scheduler_failure_period' ) as $filter ) {
			add_filter(
				$filter,
				function () use ( $question ) {
					return $question['period'];
				}
			);
		}
	}
	add_action(
		'action_scheduler_before_execute',
		function ( $id ) use ( &$current ) {
			$current = (int) $id;
		}
	);
	foreach ( $question['hooks'] as $hook ) {
		add_action(
			$hook,
			function ( ...$args ) use ( &$calls, &$current, $hook ) {
				$calls[] = array( $current, $hook, $args );
			},
			10,
			99
		);
	}
	$processed = 0;
	$context   = $question['context'] ?? 'Interop';
	do {
		$now        = ActionScheduler_QueueRunner::instance()->run( $context );
		$processed += $now;
	} while ( $now );
	return array(
		'processed' => $processed,
		'calls'     => $calls,
	);
};
