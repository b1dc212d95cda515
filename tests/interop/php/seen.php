<?php
/** What PHP says of one hook's pending actions, each by another way of asking. */

return function ( array $question ): array {
	$find = function ( array $more ) use ( $question ) {
		return array_map( 'intval', as_get_scheduled_actions( $more + array( 'hook' => $question['hook'], 'status' => 'pending', 'per_page' => 50 ), 'ids' ) );
	};
	$date = function ( int $seconds ) {
		return as_get_datetime_object( '@' . ( time() + $seconds ) );
	};
	return array(
		'past_due'  => $find( array( 'date' => $date( 0 ) ) ),
		'by_then'   => $find( array( 'date' => $date( DAY_IN_SECONDS ), 'date_compare' => '<=' ) ),
		'after'     => $find( array( 'date' => $date( DAY_IN_SECONDS ), 'date_compare' => '>' ) ),
		'in_order'  => $find( array( 'orderby' => 'date', 'order' => 'ASC' ) ),
		'pending'   => (int) ActionScheduler::store()->action_counts()['pending'],
		'dates'     => array_map(
			function ( $id ) {
				return array(
					'report'   => ActionScheduler::store()->get_date( $id )->format( 'Y' ),
					'schedule' => ActionScheduler::store()->fetch_action( $id )->get_schedule()->get_date()->format( 'Y' ),
				);
			},
			$question['ids']
		),
	);
};
