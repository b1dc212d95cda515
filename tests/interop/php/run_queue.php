<?php
/**
 * PHP's own runner, until nothing is due. The given hooks get a callback that records its calls;
 * answers with those calls as [id, hook, args].
 */

return function ( array $question ): array {
	$calls   = array();
	$current = 0;
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
	do {
		$now        = ActionScheduler_QueueRunner::instance()->run( 'Interop' );
		$processed += $now;
	} while ( $now );
	return array(
		'processed' => $processed,
		'calls'     => $calls,
	);
};
