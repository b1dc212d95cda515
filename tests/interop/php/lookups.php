<?php
/** The three look-ups of plugins, for each of the given [hook, args, group]. */

return function ( array $question ): array {
	$answers = array();
	foreach ( $question['lookups'] as $lookup ) {
		list( $hook, $args, $group ) = $lookup;
		$query     = array(
			'hook'     => $hook,
			'args'     => $args,
			'group'    => $group,
			'per_page' => -1,
			'orderby'  => 'none',
		);
		$by_status = array();
		foreach ( array_keys( ActionScheduler::store()->get_status_labels() ) as $status ) {
			$ids = as_get_scheduled_actions( $query + array( 'status' => $status ), 'ids' );
			if ( $ids ) {
				sort( $ids, SORT_NUMERIC );
				$by_status[ $status ] = array_map( 'intval', $ids );
			}
		}
		$answers[] = array(
			'next' => as_next_scheduled_action( $hook, $args, $group ),
			'has'  => as_has_scheduled_action( $hook, $args, $group ),
			'ids'  => (object) $by_status,
		);
	}
	return $answers;
};
