<?php
/**
 * What the plugin does in one request: `steps` are done in turn, each answers; `queries` counts the
 * statements of each, `statements` are those that name the plugin's tables or options.
 * `cache` says that the site has an object cache that outlives requests.
 */

return function ( array $question ): array {
	global $wpdb;
	if ( isset( $question['cache'] ) ) {
		wp_using_ext_object_cache( $question['cache'] );
	}
	foreach ( $question['hooks'] as $hook ) {
		add_action( $hook, '__return_null' );
	}
	$steps = array(
		'enqueue' => function ( $hook, $unique = false ) {
			return as_enqueue_async_action( $hook, array( 1 ), 'interop-plugin', $unique );
		},
		'run'     => function () {
			return ActionScheduler_QueueRunner::instance()->run( 'Interop' );
		},
		'process' => function ( $id ) {
			ActionScheduler::runner()->process_action( $id, 'Admin List Table' );
			return true;
		},
		'notice'  => function ( $login ) {
			wp_set_current_user( $login ? get_users( array( 'role' => 'administrator' ) )[0]->ID : 0 );
			ob_start();
			WP_Action_Runner::watch();
			return ob_get_clean();
		},
		'interrupt' => function () {
			remove_action( 'action_scheduler_stored_action', array( 'WP_Action_Runner', 'park' ), PHP_INT_MIN );
			add_action(
				'action_scheduler_stored_action',
				function () {
					$GLOBALS['wpdb']->query( 'SELECT 1' );
				},
				PHP_INT_MIN
			);
			add_action( 'action_scheduler_stored_action', array( 'WP_Action_Runner', 'park' ), PHP_INT_MIN );
			return true;
		},
		'double_click' => function ( $id ) {
			// Another request has moved it aside when the guard comes, and puts it back before the next look.
			global $wpdb;
			$moves = array( "UPDATE `{$wpdb->prefix}" => 'runner-aside', 'SELECT status' => 'pending' );
			add_filter(
				'query',
				function ( $statement ) use ( $wpdb, $id, &$moves ) {
					$first = array_key_first( $moves );
					if ( null !== $first && 0 === strpos( $statement, $first ) ) {
						$status = array_shift( $moves );
						mysqli_query( $wpdb->dbh, "UPDATE `{$wpdb->prefix}actionscheduler_actions` SET status = '$status' WHERE action_id = $id" );
					}
					return $statement;
				}
			);
			ActionScheduler::runner()->process_action( $id, 'Admin List Table' );
			return ! $moves;
		},
		'meet' => function ( $here, $go ) {
			touch( $here );
			while ( ! file_exists( $go ) ) {
				usleep( 20000 );
			}
			return true;
		},
		'unschedule' => function ( $hook ) {
			return as_unschedule_action( $hook, array( 1 ), 'interop-plugin' );
		},
	);
	$answers = array();
	foreach ( $question['steps'] as $step ) {
		$before    = $wpdb->num_queries;
		$name      = array_shift( $step );
		$answer    = $steps[ $name ]( ...$step );
		$answers[] = array(
			'answer'  => $answer,
			'queries' => $wpdb->num_queries - $before,
		);
	}
	return $answers;
};
