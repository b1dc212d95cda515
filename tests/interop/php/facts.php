<?php
/** What kind of site this is: its database, its Action Scheduler, whether PHP's runner may run. */

return function (): array {
	global $wpdb;
	$active = class_exists( 'ActionScheduler', false );
	return array(
		'host'      => DB_HOST,
		'name'      => DB_NAME,
		'user'      => DB_USER,
		'password'  => DB_PASSWORD,
		'socket'    => (string) ini_get( 'mysqli.default_socket' ),
		'prefix'    => $wpdb->prefix,
		'version'   => $active ? ActionScheduler_Versions::instance()->latest_version() : '',
		'store'     => $active ? get_class( ActionScheduler::store() ) : '',
		'schema'    => (string) get_option( 'schema-ActionScheduler_StoreSchema' ),
		'scheduled' => (bool) wp_next_scheduled( 'action_scheduler_run_queue', array( 'WP Cron' ) ),
	);
};
