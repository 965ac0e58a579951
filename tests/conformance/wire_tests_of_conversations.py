"""Of the tests about threads and turns: those that are about this server alone. See ``wire_tests``."""

from collections.abc import Mapping
from typing import Final

LEFT_OUT: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "A message that breaks off: here what has come is kept (above)": {
        "conversations/test_plan_mode.py": ("test_an_interrupted_plan_is_kept_as_far_as_it_came",),
        "turns/test_broken_streams.py": (
            "test_at_any_byte",
            "test_many_streams_break_at_once_and_each_turn_ends_once",
            "test_whatever_was_begun_is_completed_when_a_stream_of_thoughts_and_words_breaks",
            "test_without_retries_the_turn_fails_and_keeps_what_was_said",
        ),
        "turns/test_failed_responses.py": ("test_what_was_said_before_the_failure_is_kept",),
        "turns/test_interrupt.py": (
            "test_while_deltas_pour_in",
            "test_while_the_stream_hangs",
        ),
        "turns/test_retries.py": ("test_a_turn_whose_retries_are_spent_has_kept_what_the_last_attempt_said",),
    },
    "Images of low detail, which the reference leaves out": {
        "conversations/test_unasked_output.py": ("test_texts_images_and_what_only_the_upstream_reads",),
    },
    "What the end of the input or a signal leaves of a turn (15.25; above)": {
        "turns/test_ends.py": (),
    },
    "Who is asked for a new token, how often, how long, and how a failure is told (15.3 to 15.19; above)": {
        "turns/test_managed_refresh.py": (),
        "turns/test_parent_refresh.py": (
            "test_a_401_on_the_new_token_too_is_the_error_of_the_upstream",
            "test_a_good_answer_leads_to_one_retry_and_nothing_is_shown",
            "test_a_late_answer_changes_nothing_of_the_turn_and_is_used_by_the_next",
            "test_a_logout_while_the_parent_is_asked_does_not_wait_and_ends_the_turn",
            "test_a_token_of_another_account_that_is_pushed_ends_the_turn_but_is_in_force",
            "test_a_token_that_is_pushed_while_the_parent_is_asked_ends_the_wait",
            "test_a_turn_that_waits_for_the_parent_can_be_interrupted",
            "test_a_workspace_that_is_not_allowed_fails_the_turn",
            "test_an_answer_that_is_none_fails_the_turn",
            "test_an_error_fails_the_turn_with_its_code_and_its_text_beside",
            "test_any_number_of_turns_with_one_refused_token_ask_the_parent_once",
            "test_each_retry_of_the_stream_has_its_own_refresh",
            "test_no_answer_in_time_fails_the_turn",
            "test_tokens_of_another_account_are_neither_adopted_nor_used",
        ),
    },
    "What an agent tells its model beside the conversation: instructions, tools, settings": {
        "conversations/test_dynamic_tools.py": (
            "test_a_call_goes_to_the_parent_and_its_result_back_to_the_model",
            "test_a_tool_in_a_namespace_is_offered_and_called_within_it",
            "test_a_tool_of_a_namespace_is_not_found_outside_of_it",
            "test_no_tools_leave_the_request_without_any",
            "test_several_calls_are_asked_at_once_and_told_in_the_order_of_the_calls",
        ),
        "conversations/test_injected_items.py": (
            "test_ids_are_kept_where_the_models_side_takes_them",
            "test_items_injected_into_a_running_turn_are_for_the_next_request",
        ),
        "conversations/test_inputs.py": (
            "test_a_fifo_holds_up_nobody",
            "test_a_mention_and_a_skill_are_told",
            "test_a_relative_image_is_looked_for_in_the_turns_folder",
            "test_an_image_file_is_sent_by_its_content",
            "test_an_image_file_that_is_too_large_is_not_read",
            "test_the_same_request_is_not_longer_for_what_the_model_knows",
            "test_what_is_no_input_is_refused",
            "test_what_the_application_adds_comes_before_what_the_user_says",
        ),
        "conversations/test_overrides.py": (
            "test_a_request_without_changes",
            "test_a_resumed_thread_goes_on_with_what_was_changed",
            "test_a_schema_keeps_the_verbosity_beside_it",
            "test_a_thread_has_its_own_configuration",
            "test_a_thread_has_its_own_instructions",
            "test_summaries_can_be_switched_off_again",
            "test_the_mode_brings_its_model_effort_and_instructions",
            "test_threads_do_not_change_each_other",
            "test_what_a_thread_is_started_with_wins_over_its_configuration",
            "test_what_a_turn_changes_stays_changed",
        ),
        "conversations/test_reasoning.py": (
            "test_thoughts_that_are_cut_off_are_shown_and_not_sent_back",
            "test_thoughts_that_come_whole_are_an_item_all_the_same",
        ),
        "threads/test_injected_items.py": (
            "test_an_item_of_a_kind_that_is_not_known_is_the_models_business",
            "test_before_the_first_turn",
            "test_the_thread_has_to_be_loaded",
            "test_while_a_turn_runs",
        ),
    },
    "How a history is summed up, what is kept of it, and what is said meanwhile": {
        "conversations/test_unasked_output.py": ("test_a_compaction_that_runs_takes_none",),
        "conversations/test_automatic_compaction.py": (
            "test_a_history_that_was_too_long_is_compacted_before_the_next_turn",
            "test_a_summary_that_breaks_off_is_asked_for_again_and_leaves_nothing_behind",
            "test_a_summary_that_cannot_be_had_fails_the_turn_once_and_changes_nothing",
            "test_an_interrupted_summary_changes_nothing",
            "test_before_a_turn_the_history_is_compacted_when_it_has_come_to_the_limit",
            "test_more_input_while_a_summary_is_made_is_in_the_request_after_it",
            "test_more_input_while_a_summary_is_made_within_a_turn_is_in_the_request_after_it",
            "test_within_a_turn_it_is_compacted_before_the_model_is_asked_again",
        ),
        "conversations/test_compaction.py": (
            "test_a_history_too_long_even_for_its_summary_is_summed_up_from_its_later_half",
            "test_a_new_process_goes_on_from_the_summary",
            "test_a_running_turn_is_interrupted_first",
            "test_a_second_summary_takes_the_place_of_the_first",
            "test_a_second_wish_for_a_summary_ends_the_first",
            "test_a_turn_that_compacts_takes_no_input_and_no_settings",
            "test_an_empty_summary_does_not_make_the_model_forget",
            "test_the_client_can_have_the_history_replaced_by_a_summary",
        ),
        "conversations/test_token_usage.py": ("test_a_summary_costs_too_and_leaves_an_estimate_of_what_is_left",),
        "turns/test_failed_responses.py": ("test_a_context_that_is_full_is_compacted_before_the_next_turn",),
    },
    "More input cuts off what the model is saying; the reference waits for its end": {
        "conversations/test_steering.py": (
            "test_input_before_anything_has_come_begins_the_request_anew",
            "test_input_during_a_call_of_a_tool_waits_for_its_output",
            "test_other_settings_on_a_running_turn_count_from_the_next_on",
            "test_steering_brings_items_with_the_clients_own_ids",
            "test_the_answer_under_way_is_cut_off_and_the_next_request_has_both",
        ),
        "turns/test_order.py": ("test_a_second_turn_start_while_a_turn_runs_is_part_of_that_turn",),
    },
    "Tools and questions that fail: what the model is told, and when (15.19)": {
        "conversations/test_dynamic_tool_failures.py": (
            "test_a_parent_that_never_answers_is_not_waited_for_longer_than_its_deadline",
            "test_a_stream_that_breaks_after_a_call_is_asked_again_with_the_tools_output",
            "test_a_turn_that_fails_after_a_call_leaves_no_call_open",
            "test_an_answer_after_the_deadline_is_ignored",
            "test_an_error_of_the_parent_is_told_to_the_model_in_its_words",
            "test_an_interrupted_turn_waits_for_no_tool_and_the_model_is_told_next_time",
            "test_of_an_endless_error_the_model_is_told_the_beginning",
            "test_one_call_that_fails_takes_no_other_with_it",
            "test_the_deadline_can_be_set_for_all_threads",
            "test_the_end_of_the_client_ends_a_pending_call_and_the_turn",
        ),
        "conversations/test_user_questions.py": (),
    },
    "How histories are stored, paged and forked": {
        "threads/test_faulty_ids.py": ("test_an_id_of_no_thread",),
        "threads/test_fork.py": (
            "test_a_fork_inherits_the_name_and_the_tools",
            "test_a_fork_outlives_its_source",
            "test_a_part_of_the_history",
            "test_an_ephemeral_fork_leaves_nothing_behind",
            "test_before_the_first_turn_it_forks_nothing",
            "test_turns_that_are_not_there_or_still_run",
            "test_what_cannot_be_forked",
        ),
        "threads/test_kills.py": (
            "test_a_call_that_was_never_answered_is_answered_on_resume",
            "test_a_line_that_was_cut_off_in_the_middle_costs_no_more_than_itself",
        ),
        "threads/test_resume.py": (
            "test_a_file_elsewhere_can_be_resumed",
            "test_a_provider_that_only_the_thread_has_is_brought_again",
            "test_a_thread_stays_with_its_provider",
            "test_a_thread_whose_provider_is_gone_waits_for_it_to_come_back",
            "test_another_process_goes_on_where_the_first_one_ended",
            "test_by_its_path_whatever_the_id_says",
            "test_null_is_as_good_as_absent",
            "test_the_thread_is_loaded_with_what_is_asked_for",
            "test_turns_are_left_out_or_come_as_a_page",
            "test_two_at_once_load_it_once",
        ),
        "threads/test_shelf.py": (
            "test_a_deleted_thread_is_gone",
            "test_a_thread_that_is_not_loaded_is_read_from_its_file",
            "test_before_the_first_turn_there_is_a_thread_without_turns",
            "test_nothing_to_read",
            "test_the_preview_is_the_first_thing_that_was_said",
        ),
        "threads/test_start.py": ("test_an_ephemeral_thread_works_and_leaves_nothing_behind",),
    },
    "What this server has none of, and the reference has": {
        "threads/test_probes.py": (
            "test_a_thread_has_no_goal_whether_it_is_loaded_or_not",
            "test_cursors_of_empty_lists",
            "test_no_answer_shows_a_secret",
            "test_the_configuration_in_force_and_where_it_comes_from",
            "test_there_is_nothing",
            "test_what_providers_can_do_through_this_server",
            "test_without_folders_the_servers_own_has_no_skills",
        ),
    },
    "Threads that are let go of at once, by a setting; the reference takes half an hour": {
        "threads/test_letting_go.py": (),
        "threads/test_lists.py": (),
    },
    "Silence counts from the request on; in the reference, only within the stream": {
        "turns/test_connections.py": (
            "test_after_a_silence_the_stream_is_begun_again_and_the_request_is_not_resent",
            "test_silence_before_the_headers_ends_it_too",
            "test_silence_in_the_stream_ends_it",
        ),
    },
    "Answers of the upstream that are odd, and URLs with a query": {
        "conversations/test_token_usage.py": ("test_details_that_are_null_are_zero",),
        "turns/test_failed_responses.py": (
            "test_a_redirect_is_not_followed",
            "test_a_response_that_is_none_has_its_text_its_kind_and_its_number_of_requests",
        ),
        "turns/test_providers.py": (
            "test_a_workspace_whose_backend_cannot_be_found_fails_the_turn",
            "test_headers_query_and_base_url_of_a_provider",
            "test_the_backend_of_the_workspace_is_asked_where_it_is",
            "test_the_built_in_provider_is_asked_with_the_stored_login_and_says_its_version",
            "test_the_query_which_may_hold_a_key_is_in_no_error",
        ),
    },
    "An interrupt counts from the answer to `turn/start` on; the reference takes some moments": {
        "turns/test_interrupt.py": (
            "test_before_the_headers",
            "test_in_the_same_breath_as_its_beginning",
            "test_the_answer_comes_first_then_what_was_said_then_the_end",
            "test_while_it_waits_for_a_silent_resend",
            "test_while_it_waits_for_the_next_attempt",
            "test_while_the_backend_of_the_workspace_is_looked_up",
        ),
        "turns/test_refused_calls.py": (
            "test_an_empty_turn_id_interrupts_whatever_turn_runs",
            "test_another_turn_runs_than_the_one_that_is_meant",
            "test_nothing_runs_that_could_be_interrupted_or_steered",
        ),
    },
    "A turn that needs a login says so without asking the model": {
        "turns/test_login.py": (
            "test_a_logout_in_the_middle_of_an_answer_lets_it_come_to_its_end",
            "test_a_turn_that_would_ask_again_does_not_go_on_with_another_account",
            "test_after_a_logout_a_turn_that_would_ask_again_fails_once_and_says_why",
            "test_nobody_logged_in_and_not_allowed_says_at_once_that_a_login_is_needed",
        ),
    },
    "Disks that are full or read-only, and files in the place of directories": {
        "threads/test_disks.py": (),
    },
    "One writer for each thread: who gets it, and when": {
        "threads/test_processes.py": (
            "test_a_thread_stays_writable_for_its_process_when_the_lock_file_is_removed",
            "test_a_thread_that_has_gone_to_and_fro_has_one_history",
            "test_two_processes_that_want_it_at_once_find_one_writer",
            "test_whoever_comes_next_may_write_once_the_first_is_gone",
            "test_whoever_has_waited_for_it_finds_all_of_it",
        ),
        "threads/test_shelf.py": ("test_what_cannot_be_brought_back",),
    },
    "Settings and limits of this server's own": {
        "conversations/test_steering.py": ("test_input_beyond_what_a_turn_can_hold_is_refused",),
        "threads/test_start.py": (
            "test_an_unknown_setting_is_told_and_ignored",
            "test_the_answer_shows_the_thread_and_the_settings_in_force",
            "test_the_file_comes_with_the_first_turn",
        ),
    },
}
