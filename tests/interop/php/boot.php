<?php
/**
 * Loads a WordPress and runs one script of this folder:
 * php boot.php WORDPRESS SCRIPT ANSWER < question. Question and answer are JSON.
 *
 * The answer goes to a file of its own, since plugins may print.
 */

define( 'INTEROP_WORDPRESS', $argv[1] );
define( 'INTEROP_SCRIPT', __DIR__ . "/$argv[2].php" );
define( 'INTEROP_ANSWER', $argv[3] );
define( 'INTEROP_QUESTION', file_get_contents( 'php://stdin' ) );

$_SERVER = array_merge(
	$_SERVER,
	array(
		'HTTP_HOST'       => 'localhost',
		'SERVER_NAME'     => 'localhost',
		'SERVER_PROTOCOL' => 'HTTP/1.1',
		'REQUEST_METHOD'  => 'GET',
		'REQUEST_URI'     => getenv( 'INTEROP_URI' ) ?: '/', // of one site in a network
		'PHP_SELF'        => '/index.php',
	)
);

// WordPress takes over filters that are there before it: English, and no work of its own.
$interop_filters = array(
	'locale'                                        => 'en_US',
	'pre_get_ready_cron_jobs'                       => array(),
	'action_scheduler_allow_async_request_runner'   => false,
	'pre_transient_as_is_ensure_recurring_actions_scheduled' => true,
);
foreach ( $interop_filters as $interop_name => $interop_value ) {
	$wp_filter[ $interop_name ][1000][] = array(
		'accepted_args' => 0,
		'function'      => function () use ( $interop_value ) {
			return $interop_value;
		},
	);
}

require INTEROP_WORDPRESS . '/wp-load.php';
ini_set( 'display_errors', 'stderr' ); // WordPress may have switched it off

$interop_run    = require INTEROP_SCRIPT;
$interop_answer = $interop_run( json_decode( INTEROP_QUESTION, true, 512, JSON_THROW_ON_ERROR ) );
file_put_contents( INTEROP_ANSWER, json_encode( $interop_answer, JSON_THROW_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION, 1024 ) );
