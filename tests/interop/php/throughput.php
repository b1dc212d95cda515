<?php
/**
 * PHP's own runner over `actions` due actions of its own, whose callback does nothing; answers with the
 * seconds that the runner took.
 */

return function ( array $question ): array {
	add_action( 'php_interop_bench', '__return_null' );
	for ( $i = 0; $i < $question['actions']; $i++ ) {
		as_enqueue_async_action( 'php_interop_bench', array( $i ), 'interop-bench' );
	}
	$done  = 0;
	$start = microtime( true );
	do {
		$now   = ActionScheduler_QueueRunner::instance()->run( 'WP CLI' );
		$done += $now;
	} while ( $now );
	return array(
		'seconds' => microtime( true ) - $start,
		'done'    => $done,
	);
};
