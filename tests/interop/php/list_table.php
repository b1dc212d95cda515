<?php
/** The admin screen's table of actions, as HTML, for actions found by a search. */

return function ( array $question ): string {
	$administrators = get_users( array( 'role' => 'administrator', 'number' => 1 ) );
	if ( ! $administrators ) {
		throw new RuntimeException( 'this site has no administrator' );
	}
	wp_set_current_user( $administrators[0]->ID );
	require_once ABSPATH . 'wp-admin/includes/admin.php';
	$_GET                   = array( 'page' => 'action-scheduler', 's' => $question['search'] );
	$_REQUEST               = $_GET;
	$_SERVER['REQUEST_URI'] = '/wp-admin/tools.php?' . http_build_query( $_GET );
	$GLOBALS['hook_suffix'] = 'tools_page_action-scheduler';
	set_current_screen( 'tools_page_action-scheduler' );
	add_filter(
		'tools_page_action_scheduler_per_page',
		function () {
			return 200;
		}
	);
	$table = new ActionScheduler_ListTable( ActionScheduler::store(), ActionScheduler::logger(), ActionScheduler::runner() );
	ob_start();
	$table->display_page();
	return ob_get_clean();
};
