<?php
/**
 * Every given action as Action Scheduler's store reads it. `same` says whether PHP would write
 * the schedule column just as it is; `after` of an id asks for the following instance of a run
 * that ended then: its date and the bytes of its schedule.
 */

return function ( array $question ): array {
	global $wpdb;
	$store   = ActionScheduler::store();
	$answers = array();
	foreach ( $question['ids'] as $id ) {
		$column = $wpdb->get_var(
			$wpdb->prepare( "SELECT schedule FROM {$wpdb->prefix}actionscheduler_actions WHERE action_id = %d", $id )
		);
		try {
			$action   = $store->fetch_action( $id );
			$schedule = $action->get_schedule();
			$date     = $schedule->get_date();
			$answer   = array(
				'class'    => get_class( $action ),
				'hook'     => $action->get_hook(),
				'args'     => $action->get_args(),
				'group'    => $action->get_group(),
				'priority' => $action->get_priority(),
				'status'   => $store->get_status( $id ),
				'schedule' => get_class( $schedule ),
				'date'     => $date ? $date->getTimestamp() : null,
				'same'     => serialize( $schedule ) === $column,
			);
			if ( isset( $question['after'][ $id ] ) ) {
				$next      = $schedule->get_next( as_get_datetime_object( $question['after'][ $id ] ) );
				$following = new $schedule( $next, $schedule->get_recurrence(), $schedule->get_first_date() );
				$answer['next']       = $following->get_date()->getTimestamp();
				$answer['next_bytes'] = base64_encode( serialize( $following ) );
			}
		} catch ( Throwable $error ) {
			$answer = array( 'error' => get_class( $error ) . ': ' . $error->getMessage() );
		}
		$answers[] = $answer;
	}
	return $answers;
};
