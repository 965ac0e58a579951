"""Of the tests about connections, accounts and logins: those that are about this server alone. See ``wire_tests``."""

from collections.abc import Mapping
from typing import Final

LEFT_OUT: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "Their request is `account/rateLimits/read`, for which the reference asks nobody for a token (15.15)": {
        "accounts/test_refresh.py": (),
        "accounts/test_refresh_failures.py": (),
    },
    "Limits that lack members, and the backend's words in errors (15.15)": {
        "accounts/test_rate_limits.py": (
            "test_a_backend_that_hangs_is_given_up",
            "test_errors_name_the_url_and_the_status_and_never_what_the_backend_wrote",
            "test_everything_that_the_backend_says_has_its_place",
            "test_windows_are_whole_percents_and_whole_minutes",
        ),
    },
    "Refreshes that no turn has asked for; of those in turns, `test_refresh` has both sides (15.10 to 15.15)": {
        "refresh/test_forced.py": (),
        "refresh/test_login_elsewhere.py": (),
        "refresh/test_permanent_failures.py": (),
        "refresh/test_proactive.py": (),
        "refresh/test_transient_failures.py": (),
        "refresh/test_unauthorized.py": (),
    },
    "A stand-in for the system's keyring, in Python": {
        "accounts/test_keyring.py": (),
    },
    "Files of a login, as this server writes, watches and sweeps them (15.11, 15.12)": {
        "accounts/test_stored_logins.py": (
            "test_a_file_that_another_program_is_about_to_write_is_not_a_logout",
            "test_a_login_by_another_program_is_noticed_while_nobody_is_logged_in",
            "test_a_login_replaces_what_is_not_understood_and_keeps_it_beside",
            "test_a_mode_decides_and_without_one_a_key_comes_before_tokens",
            "test_behind_a_link_the_target_is_written_and_the_link_is_kept",
            "test_what_a_crash_has_left_half_written_is_swept_up_by_the_next_login",
            "test_what_another_program_makes_of_a_login_is_noticed_and_announced",
            "test_what_belongs_to_no_login_survives_one_and_the_old_login_does_not",
            "test_without_its_backend_a_stored_chatgpt_login_is_not_announced",
        ),
        "login/test_saved_logins.py": (),
        "refresh/test_interrupted_refresh.py": (),
        "refresh/test_unsaved_tokens.py": (),
        "test_homes.py": (),
    },
    "`configWarning`: whether, and in which words": {
        "accounts/test_config_warnings.py": (),
    },
    "When the workspace's backend is looked up, and what waits for it": {
        "accounts/test_chatgpt_auth_tokens.py": (
            "test_a_login_that_still_waits_for_its_workspace_fails_before_the_next_one_is_answered",
            "test_the_answer_does_not_wait_for_the_workspace_but_the_announcement_does",
        ),
        "accounts/test_workspace_routing.py": (
            "test_a_lookup_that_hangs_times_out",
            "test_any_number_of_readers_share_it_and_the_requests_behind_them_go_on",
            "test_what_goes_wrong_fails_the_login_and_the_reading_but_the_tokens_stay",
        ),
    },
    "When, where and how long a logout revokes": {
        "accounts/test_logout.py": (
            "test_a_client_that_leaves_at_once_has_its_tokens_revoked_all_the_same",
            "test_a_login_that_waits_for_its_workspace_fails_before_the_answer",
            "test_a_revocation_that_hangs_holds_nobody_up",
            "test_behind_a_link_the_login_is_removed_and_the_link_is_kept",
            "test_the_revocation_goes_to_the_issuer_that_is_configured",
        ),
    },
    "Empty keys (15.20), keys in the place of a sign-in, homes that cannot be made": {
        "accounts/test_api_key.py": (
            "test_a_home_that_cannot_exist_does_not_keep_the_server_from_starting",
            "test_a_key_in_the_place_of_a_chatgpt_login_has_its_tokens_revoked",
            "test_an_empty_key_is_refused_and_what_was_in_force_stays",
        ),
    },
    "A shape of tokens that only this server reads": {
        "accounts/test_chatgpt_auth_tokens.py": ("test_the_older_shape_names_account_and_plan_in_its_id_token",),
    },
    "A token in the environment: when it is checked, and what is said of it": {
        "accounts/test_environment_token.py": (
            "test_a_check_that_hangs_delays_neither_the_handshake_nor_the_rest_for_long",
            "test_anything_else_in_the_variable_is_ignored_and_said_to_be",
            "test_it_is_announced_by_its_name_and_without_its_value",
            "test_whoami_says_whose_it_is",
        ),
    },
    "What the end of the input or a signal leaves of requests (15.2; above)": {
        "test_end_of_input.py": (),
    },
    "Who is asked for a new token, how often, how long, and how a failure is told (15.3 to 15.19; above)": {
        "refresh/test_many_processes.py": (),
    },
    "The pages of a browser login and the listener behind them (15.5, 15.6, 15.17; above)": {
        "login/test_browser_failures.py": (),
        "login/test_browser_login.py": (),
        "login/test_callback_ports.py": (),
        "login/test_callback_server.py": (),
        "login/test_ended_logins.py": (),
        "login/test_many_logins.py": (),
        "login/test_pasted_callback.py": (),
    },
    "How often a device login asks, and what ends it": {
        "login/test_device_intervals.py": (),
        "login/test_device_login.py": (),
    },
    "Settings and limits of this server's own": {
        "login/test_time_limits.py": (),
        "test_faults.py": (),
        "test_lines.py": (
            "test_a_line_over_64_mib_is_drained_and_refused_and_the_next_one_answered",
            "test_each_of_many_lines_that_are_too_long_is_refused_once_in_its_place",
            "test_the_limit_of_a_line_is_configurable_and_exact",
        ),
    },
    "Lines that are no messages (15.1, 15.16, 15.22; above), and what the log says of them": {
        "test_bad_input.py": (),
        "test_params.py": ("test_only_two_codes_answer_requests",),
    },
    "Which requests wait for which, and the order of what is said": {
        "test_notifications.py": (),
        "test_ordering.py": (),
    },
    "The log, and files, of this server": {
        "login/test_canaries.py": (),
        "test_secrets.py": (),
    },
    "`[]` for params (above); byte order marks": {
        "test_handshake.py": (
            "test_a_handshake_that_lacks_something_is_refused_with_the_reason_and_can_be_repeated",
            "test_member_order_and_a_jsonrpc_member_do_not_matter_and_none_is_sent_back",
            "test_what_is_wrong_with_a_request_wins_over_not_initialized",
        ),
        "test_lines.py": ("test_a_byte_order_mark_is_tolerated",),
    },
    "Input and output of every kind": {
        "test_streams.py": (),
    },
}
