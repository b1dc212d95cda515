<?php
/**
 * Plugin Name: WP Action Runner
 * Description: Keeps the actions that Python runs away from PHP's own queue runner. Put in place by `runner install`.
 * Version: 5
 * Requires PHP: 7.2
 * License: GPL-2.0-or-later
 *
 * A must-use plugin for sites with Action Scheduler. Which hooks are Python's stands in the option
 * `wp_action_runner`; without it nothing happens. The plugin
 *
 * - parks: a new action of such a hook gets a date 800 years ahead, so that PHP's runner leaves it alone;
 * - guards: what PHP is about to execute all the same is moved aside and put back, parked;
 * - watches: administrators are told when parked actions are due and no runner was seen;
 * - tells: what only PHP knows goes into the option `wp_action_runner_site` once an hour.
 *
 * PHP's own actions cost it no statement: the INSERT tells whose a new action is, and one SELECT for
 * all that PHP has claimed tells whose those are. Before one of Python's is changed, the option is
 * read from its table: a request that began before `runner uninstall` must not park what that has
 * given back.
 *
 * @package WP_Action_Runner
 */

defined( 'ABSPATH' ) || exit;

if ( ! class_exists( 'WP_Action_Runner', false ) ) :

	/** All of it: functions with one name before them. */
	final class WP_Action_Runner {

		const INSTALLED = 'wp_action_runner';
		const FACTS     = 'wp_action_runner_site';

		/** Status of an action while Action Scheduler looks whether it may execute it. */
		const ASIDE = 'runner-aside';

		/** Dates from here on are parked ones. Earlier ones than 2000, or without month or day, are parked here. */
		const PARKED_FROM = '2800-01-01 00:00:00';

		/** Seconds after which silence is worth a notice, and an action aside was left there. */
		const SILENCE = 600;

		/** How often a change is tried. */
		const TRIES = 5;

		/** How often an action is looked at that another request has moved aside, every 10 ms. */
		const LOOKS = 20;

		/** Seconds between two writings of the facts. */
		const EVERY = 3600;

		/** Seconds for which a long request goes by the options that it has read. */
		const GOOD_FOR = 60;

		/**
		 * When this request began.
		 *
		 * @var int
		 */
		private static $began = 0;

		/**
		 * Actions of this request that are aside, by blog and id.
		 *
		 * @var array
		 */
		private static $aside = array();

		/**
		 * Hooks of the actions that PHP is about to execute, by blog and id.
		 *
		 * @var array
		 */
		private static $claimed = array();

		/**
		 * Texts of our options by blog, and until when they are good.
		 *
		 * @var array
		 */
		private static $read = array();

		/** Listens to Action Scheduler; where there is none, nothing is ever heard. */
		public static function start() {
			self::$began = time();
			add_action( 'action_scheduler_stored_action', array( __CLASS__, 'park' ), PHP_INT_MIN );
			add_action( 'action_scheduler_before_execute', array( __CLASS__, 'set_aside' ), PHP_INT_MAX );
			add_action( 'action_scheduler_execution_ignored', array( __CLASS__, 'put_back' ), PHP_INT_MIN );
			add_action( 'action_scheduler_after_process_queue', array( __CLASS__, 'tell' ) );
			add_action( 'action_scheduler_after_process_queue', array( __CLASS__, 'mend' ) );
			add_action( 'admin_notices', array( __CLASS__, 'watch' ) );
		}

		/**
		 * Parks a new action if it is Python's. PHP may have claimed it already: then the guard is asked.
		 *
		 * @param int $action_id Id of the action.
		 */
		public static function park( $action_id ) {
			if ( ! self::may_have_stored_ours() ) {
				return;
			}
			self::change(
				$action_id,
				'scheduled_date_gmt = ' . self::parked_date(),
				"status = 'pending' AND claim_id = 0 AND scheduled_date_gmt < '" . self::PARKED_FROM . "'"
			);
		}

		/**
		 * Moves an action of Python's aside, the moment before Action Scheduler looks at its status:
		 * what is not pending it ignores. The time tells when a dying PHP has left it there. One that
		 * another request has moved aside (of a double click) is waited for: that one puts it back, and
		 * Action Scheduler would see it pending here.
		 *
		 * @param int $action_id Id of the action.
		 */
		public static function set_aside( $action_id ) {
			for ( $look = 1; $look <= self::LOOKS && self::is_ours( $action_id ); $look++ ) {
				$moved = self::change(
					$action_id,
					"status = '" . self::ASIDE . "', last_attempt_gmt = UTC_TIMESTAMP()",
					"status = 'pending'"
				);
				if ( $moved ) {
					self::$aside[ get_current_blog_id() ][ $action_id ] = true;
					return;
				}
				if ( ! in_array( self::status( $action_id ), array( 'pending', self::ASIDE ), true ) ) {
					return;
				}
				usleep( 10000 );
			}
		}

		/**
		 * Puts an ignored action back, parked and free, if it was moved aside here.
		 *
		 * @param int $action_id Id of the action.
		 */
		public static function put_back( $action_id ) {
			$blog = get_current_blog_id();
			if ( isset( self::$aside[ $blog ][ $action_id ] ) ) {
				unset( self::$aside[ $blog ][ $action_id ] );
				self::free( 'action_id = ' . (int) $action_id );
			}
		}

		/** Tells administrators when parked actions are overdue and nobody seems to run them. */
		public static function watch() {
			if ( ! class_exists( 'ActionScheduler', false ) || ! current_user_can( 'manage_options' ) || ! self::hooks() ) {
				return;
			}
			$since = self::overdue_since();
			if ( $since && self::silent() ) {
				printf(
					'<div class="notice notice-error"><p>%s</p></div>',
					esc_html(
						sprintf(
							'WP Action Runner: actions of Python wait since %s UTC, and no runner was seen for %d minutes. Start it, or give its actions back to PHP with "runner uninstall".',
							$since,
							self::SILENCE / MINUTE_IN_SECONDS
						)
					)
				);
			}
		}

		/** Once an hour: writes the facts, and frees actions that a dying PHP left aside. */
		public static function tell() {
			global $wpdb;
			if ( ! self::hooks() ) {
				return;
			}
			$told = json_decode( (string) self::read( self::FACTS ), true );
			$at   = isset( $told['written_at'] ) ? $told['written_at'] : null;
			if ( is_int( $at ) && abs( time() - $at ) < self::EVERY ) { // A clock may have been ahead.
				return;
			}
			if ( ! self::hooks_now() ) {
				return;
			}
			$facts = wp_json_encode( self::facts() );
			// Straight into the table: an object cache need not know what `runner uninstall` took away.
			$wpdb->query(
				$wpdb->prepare(
					"INSERT INTO {$wpdb->options} (option_name, option_value, autoload) VALUES (%s, %s, 'no') ON DUPLICATE KEY UPDATE option_value = %s",
					self::FACTS,
					$facts,
					$facts
				)
			);
			wp_cache_delete( self::FACTS, 'options' );
			unset( self::$read[ get_current_blog_id() ][ self::FACTS ] );
			self::free( 'last_attempt_gmt < UTC_TIMESTAMP() - INTERVAL ' . self::SILENCE . ' SECOND' );
		}

		/**
		 * Where a trigger parks and its maker's account may be gone: tries an insert, and drops the trigger
		 * when it fails, since nobody could create an action any more. The plugin parks as well.
		 */
		public static function mend() {
			global $wpdb;
			if ( ! self::installed( 'trigger' ) ) {
				return;
			}
			$name   = "{$wpdb->prefix}runner_park";
			$others = $wpdb->get_var(
				$wpdb->prepare(
					'SELECT definer FROM information_schema.triggers WHERE trigger_schema = DATABASE() AND trigger_name = %s AND definer <> CURRENT_USER()',
					$name
				)
			);
			if ( ! $others ) {
				return;
			}
			$hidden = $wpdb->suppress_errors();
			$wpdb->query( 'START TRANSACTION' );
			$works = $wpdb->query( 'INSERT INTO ' . self::actions() . " (hook, status) VALUES ('', 'canceled')" );
			$wpdb->query( 'ROLLBACK' );
			if ( false === $works ) {
				$wpdb->query( 'SET SESSION lock_wait_timeout = 3' ); // Who waits for the table stops all others.
				$wpdb->query( "DROP TRIGGER IF EXISTS `$name`" );
				$wpdb->query( 'SET SESSION lock_wait_timeout = DEFAULT' );
			}
			$wpdb->suppress_errors( $hidden );
		}

		/**
		 * What only PHP knows.
		 *
		 * @return array
		 */
		private static function facts() {
			return array(
				'written_at'       => time(),
				'database_at'      => (int) $GLOBALS['wpdb']->get_var( 'SELECT UNIX_TIMESTAMP()' ),
				'php'              => PHP_VERSION,
				'wordpress'        => get_bloginfo( 'version' ),
				'action_scheduler' => class_exists( 'ActionScheduler_Versions', false ) ? ActionScheduler_Versions::instance()->latest_version() : '',
				'store'            => class_exists( 'ActionScheduler', false ) ? get_class( ActionScheduler::store() ) : '',
				'object_cache'     => (bool) wp_using_ext_object_cache(),
				'batch_size'       => (int) apply_filters( 'action_scheduler_queue_runner_batch_size', 25 ),
				'with_callback'    => array_values( array_filter( self::hooks(), 'has_action' ) ),
				'without_callback' => count( self::without_callback() ),
			);
		}

		/**
		 * Hooks of pending actions that neither Python nor PHP has anything for: of the 10,000 that are due first.
		 *
		 * @return array
		 */
		private static function without_callback() {
			global $wpdb;
			$pending = $wpdb->get_col(
				'SELECT DISTINCT hook FROM (SELECT hook FROM ' . self::actions()
				. " WHERE status = 'pending' AND scheduled_date_gmt < '" . self::PARKED_FROM . "'"
				. ' ORDER BY scheduled_date_gmt LIMIT 10000) AS pending'
			);
			return array_filter(
				array_diff( $pending, self::hooks() ),
				function ( $hook ) {
					return ! has_action( $hook );
				}
			);
		}

		/**
		 * Since when the oldest parked action waits (UTC); null when none has waited for long.
		 *
		 * @return string|null
		 */
		private static function overdue_since() {
			global $wpdb;
			return $wpdb->get_var(
				'SELECT scheduled_date_gmt - INTERVAL 800 YEAR FROM ' . self::actions()
				. " WHERE status = 'pending' AND scheduled_date_gmt BETWEEN '" . self::PARKED_FROM . "'"
				. ' AND UTC_TIMESTAMP() + INTERVAL 800 YEAR - INTERVAL ' . self::SILENCE . ' SECOND'
				. ' ORDER BY scheduled_date_gmt LIMIT 1'
			);
		}

		/**
		 * Whether no runner gave a sign of life lately: neither a worker, nor an attempt of one that has
		 * ended, as those started by cron do. Without the runner's tables nobody ever did.
		 *
		 * @return bool
		 */
		private static function silent() {
			global $wpdb;
			$hidden = $wpdb->suppress_errors();
			$seen   = $wpdb->get_var(
				'SELECT 1 FROM DUAL WHERE'
				. " EXISTS (SELECT 1 FROM `{$wpdb->prefix}runner_workers` WHERE seen_at > UTC_TIMESTAMP() - INTERVAL " . self::SILENCE . ' SECOND)'
				. " OR EXISTS (SELECT 1 FROM `{$wpdb->prefix}runner_attempts` WHERE ended_at > UTC_TIMESTAMP() - INTERVAL " . self::SILENCE . ' SECOND)'
			);
			$wpdb->suppress_errors( $hidden );
			return ! $seen;
		}

		/**
		 * Whether the statement before this one may have stored an action of Python's. Where it is not
		 * the INSERT (another store, or somebody asked in between), it may.
		 *
		 * @return bool
		 */
		private static function may_have_stored_ours() {
			global $wpdb;
			$statement = ltrim( (string) $wpdb->last_query ); // Before the options are read.
			$hooks     = self::hooks();
			if ( 0 !== stripos( $statement, 'INSERT' ) || false === strpos( $statement, "{$wpdb->prefix}actionscheduler_actions" ) ) {
				return (bool) $hooks;
			}
			foreach ( $hooks as $hook ) {
				if ( false !== strpos( $statement, $wpdb->remove_placeholder_escape( esc_sql( $hook ) ) ) ) {
					return true;
				}
			}
			return false;
		}

		/**
		 * Whether an action is Python's: asked once for all that PHP has claimed with it.
		 *
		 * @param int $action_id Id of the action.
		 * @return bool
		 */
		private static function is_ours( $action_id ) {
			global $wpdb;
			$hooks = self::hooks();
			if ( ! $hooks ) {
				return false;
			}
			$blog = get_current_blog_id();
			if ( ! isset( self::$claimed[ $blog ][ $action_id ] ) ) {
				$id    = (int) $action_id;
				$table = self::actions();
				$found = $wpdb->get_results(
					"SELECT action_id, hook FROM $table WHERE action_id = $id UNION SELECT action_id, hook FROM $table"
					. " WHERE claim_id = (SELECT claim_id FROM $table WHERE action_id = $id AND claim_id > 0)"
				);

				self::$claimed = array( $blog => wp_list_pluck( (array) $found, 'hook', 'action_id' ) );
			}
			return in_array( self::$claimed[ $blog ][ $action_id ] ?? '', $hooks, true );
		}

		/**
		 * The status of an action; null when it is gone.
		 *
		 * @param int $action_id Id of the action.
		 * @return string|null
		 */
		private static function status( $action_id ) {
			global $wpdb;
			return $wpdb->get_var( 'SELECT status FROM ' . self::actions() . ' WHERE action_id = ' . (int) $action_id );
		}

		/**
		 * Changes one action if it is Python's and still is what it must be.
		 *
		 * @param int    $action_id Id of the action.
		 * @param string $set       Assignments, as SQL.
		 * @param string $when      What must hold, as SQL.
		 * @return bool Whether it was changed.
		 */
		private static function change( $action_id, $set, $when ) {
			$hooks = self::hooks_now();
			if ( ! $hooks ) {
				return false;
			}
			// In hexadecimal a hook is compared exactly, whatever the column's collation.
			$hex = array_map( 'bin2hex', $hooks );
			return (bool) self::write(
				'UPDATE ' . self::actions() . " SET $set WHERE action_id = " . (int) $action_id
				. " AND $when AND LOWER(HEX(hook)) IN ('" . implode( "', '", $hex ) . "')"
			);
		}

		/**
		 * Makes actions that are aside pending again, parked and without a claim.
		 *
		 * @param string $which Which ones, as SQL.
		 */
		private static function free( $which ) {
			self::write(
				'UPDATE ' . self::actions() . " SET status = 'pending', claim_id = 0, scheduled_date_gmt = "
				. "IF(scheduled_date_gmt >= '" . self::PARKED_FROM . "', scheduled_date_gmt, " . self::parked_date() . ')'
				. " WHERE status = '" . self::ASIDE . "' AND $which"
			);
		}

		/**
		 * Runs a statement, again when it was the victim of a deadlock: on a small table Action Scheduler's
		 * claim locks all rows. WordPress logs the error of the last try alone.
		 *
		 * @param string $statement The statement.
		 * @return int|false Rows that were changed; false when all tries failed.
		 */
		private static function write( $statement ) {
			global $wpdb;
			$hidden = $wpdb->suppress_errors();
			for ( $try = 1; $try <= self::TRIES; $try++ ) {
				$wpdb->suppress_errors( $hidden || $try < self::TRIES );
				$changed = $wpdb->query( $statement );
				if ( false !== $changed ) {
					break;
				}
				usleep( 20000 * $try );
			}
			$wpdb->suppress_errors( $hidden );
			return $changed;
		}

		/**
		 * The date at which an action with a true date is parked, as SQL.
		 *
		 * @return string
		 */
		private static function parked_date() {
			return "IF(scheduled_date_gmt < '2000-01-01' OR MONTH(scheduled_date_gmt) = 0 OR DAY(scheduled_date_gmt) = 0, '" . self::PARKED_FROM . "', scheduled_date_gmt + INTERVAL 800 YEAR)";
		}

		/**
		 * The actions' table of the current blog, for SQL.
		 *
		 * @return string
		 */
		private static function actions() {
			global $wpdb;
			return "`{$wpdb->prefix}actionscheduler_actions`";
		}

		/**
		 * The hooks that are Python's on the current blog.
		 *
		 * @return string[]
		 */
		private static function hooks() {
			$hooks = self::installed( 'hooks' );
			return is_array( $hooks ) ? array_values( array_filter( $hooks, 'is_string' ) ) : array();
		}

		/**
		 * The same, whatever this request has read before.
		 *
		 * @return string[]
		 */
		private static function hooks_now() {
			self::$read[ get_current_blog_id() ] = self::from_table() + array( 'until' => time() + self::GOOD_FOR );
			return self::hooks();
		}

		/**
		 * What the installation says; null without it.
		 *
		 * @param string $key A key of the option.
		 * @return mixed
		 */
		private static function installed( $key ) {
			$installed = json_decode( (string) self::read( self::INSTALLED ), true );
			return isset( $installed[ $key ] ) ? $installed[ $key ] : null;
		}

		/**
		 * The text of one of our options; null without one. WordPress loads the installation with all
		 * other options and never again; an object cache outlives requests and may not have it. So there,
		 * and in a long request, the table is asked, for both at once.
		 *
		 * @param string $name The option's name.
		 * @return string|null
		 */
		private static function read( $name ) {
			$known = &self::$read[ get_current_blog_id() ];
			if ( ! isset( $known['until'] ) || time() >= $known['until'] ) {
				$known = array( 'until' => time() + self::GOOD_FOR );
				if ( ! wp_using_ext_object_cache() && time() < self::$began + self::GOOD_FOR ) {
					$known[ self::INSTALLED ] = get_option( self::INSTALLED, '' );
				}
			}
			if ( ! array_key_exists( $name, $known ) ) {
				$known = self::from_table() + $known;
			}
			return $known[ $name ];
		}

		/**
		 * Both options, straight from the table.
		 *
		 * @return array
		 */
		private static function from_table() {
			global $wpdb;
			$found = $wpdb->get_results(
				$wpdb->prepare(
					"SELECT option_name, option_value FROM {$wpdb->options} WHERE option_name IN (%s, %s)",
					self::INSTALLED,
					self::FACTS
				)
			);
			return wp_list_pluck( (array) $found, 'option_value', 'option_name' ) + array_fill_keys( array( self::INSTALLED, self::FACTS ), null );
		}
	}

	WP_Action_Runner::start();

endif;
