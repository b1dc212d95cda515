<?php
/** One of the public functions, called with the given arguments. */

return function ( array $question ) {
	$allowed = array( 'as_next_scheduled_action', 'as_has_scheduled_action', 'as_unschedule_action', 'as_unschedule_all_actions' );
	if ( ! in_array( $question['function'], $allowed, true ) ) {
		throw new InvalidArgumentException( 'this function is not asked here' );
	}
	return call_user_func_array( $question['function'], $question['arguments'] );
};
