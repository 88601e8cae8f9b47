"""Tests of tests/sandbox/aws that need nothing but a `lab`, so that they run on a real account as they are.

Left out is what needs the sandbox's clock (days that nobody waits), its faults, its switches, or its speed.
"""

from __future__ import annotations

import importlib
from typing import Any

# by module of tests/sandbox/aws: the claims, each the name of a test without `test_`
SAME: dict[str, str] = {
    "around": """
        warm_throughput_only_rises""",
    "backups": """
        a_backup_holds_the_items_of_its_request
        a_backup_outlives_its_table
        a_backup_records_stream_and_ttl_but_the_restore_does_not_carry_them
        a_deleted_backup_is_not_found
        list_backups_pages_by_limit
        one_backup_feeds_one_restore_at_a_time
        the_time_range_is_inclusive_below_and_exclusive_above
        two_backups_may_have_one_name""",
    "bulk": """
        a_bulk_put_needs_1024_units_a_known_tier_and_json_or_ion
        a_bulk_put_reads_both_formats_in_each_compression
        a_bulk_put_reads_ion
        a_bulk_put_writes_into_an_existing_table_and_leaves_its_other_items
        a_bulk_token_replays_its_operation_and_refuses_other_parameters
        invalid_input_makes_it_completed_with_errors_and_counts_as_processed_too""",
    "capacity": """
        a_batch_write_adds_up_per_table
        a_projection_and_a_filter_do_not_lower_the_charge
        a_write_costs_one_unit_per_kb_of_the_larger_image
        an_index_read_is_charged_to_the_index
        an_index_write_is_charged_apart_and_a_changed_index_key_twice
        an_unknown_level_is_refused
        an_update_is_charged_by_size_and_only_on_request
        batch_get_rounds_each_item
        query_and_scan_round_the_sum_of_the_page
        reads_cost_one_unit_per_4_kb_and_half_when_eventual""",
    "conditions": """
        nothing_is_compared_with_itself
        what_cannot_be_compared_is_false_and_never_an_error""",
    "exports": """
        a_filter_selects_by_key_filter_and_projection
        a_filter_without_a_key_condition_may_name_keys
        a_full_export_holds_the_items_of_its_export_time
        a_full_export_plus_the_incremental_after_it_equals_the_next_full_export
        a_key_condition_is_one_partition_and_a_filter_beside_it_names_no_key
        a_missing_bucket_is_accepted_and_shows_as_failed_later
        a_projection_narrows_the_images_of_an_incremental_and_keeps_its_keys
        an_export_needs_pitr_and_an_existing_table
        an_export_without_a_time_holds_what_is_there_at_its_request
        an_ion_export_holds_the_same_items_as_ion_text
        incremental_runs_share_one_data_folder_and_the_manifest_tells_them_apart
        new_image_exports_carry_no_old_images
        the_objects_lie_where_aws_puts_them_and_empty_data_files_exist
        type_and_specification_must_agree""",
    "imports": """
        a_full_export_can_be_imported_from_its_data_folder
        a_missing_bucket_fails_later_and_makes_no_table
        a_repeated_token_returns_the_job_and_another_table_conflicts
        an_empty_prefix_completes_with_an_empty_table
        an_existing_table_is_refused_at_once
        an_import_reads_every_object_under_the_prefix
        an_ion_export_can_be_imported_from_its_data_folder
        csv_types_key_columns_and_leaves_the_others_strings
        csv_with_a_header_list_reads_the_first_line_as_data
        documents_may_share_a_line_or_span_several
        duplicate_keys_are_no_error_but_exceed_the_table
        each_format_is_read_in_each_compression
        errors_are_logged_one_event_each_with_the_place_of_the_item
        invalid_items_count_one_by_one_and_the_valid_rows_stay
        list_imports_shows_the_jobs_of_a_table_and_describe_echoes_the_request
        the_first_unparsable_line_drops_the_rest_of_its_object_and_counts_once
        the_loser_of_two_imports_to_one_name_fails_with_table_already_exists
        the_wrong_compression_imports_nothing""",
    "key_conditions": """
        a_query_starts_only_where_one_of_its_pages_can_have_ended""",
    "lifecycle": """
        a_creating_table_answers_table_not_found_to_backup_and_recovery_calls
        a_creating_table_cannot_be_deleted
        a_restoring_table_is_creating_with_a_restore_summary_that_vanishes_at_active
        a_table_created_again_under_its_name_has_another_table_id
        delete_table_is_refused_under_deletion_protection""",
    "limits": """
        a_batch_holds_at_most_25_requests
        a_batch_over_16_mb_on_the_wire_is_refused
        a_condition_decides_and_returns_the_old_item_on_request
        a_key_must_match_the_schema
        a_missing_table_refuses_the_whole_batch
        an_empty_batch_is_refused
        an_empty_string_is_a_value_outside_keys
        an_index_key_of_another_type_or_empty_is_refused
        an_item_of_409600_bytes_is_stored_and_one_more_is_refused
        an_item_without_the_index_key_is_stored_and_not_in_the_index
        an_update_normalises_numbers_too
        binaries_survive_every_way_in_and_out
        equal_numbers_written_differently_are_one_key
        key_lengths_are_2048_and_1024_bytes
        numbers_come_back_normalised
        one_bad_item_refuses_the_whole_batch
        two_requests_on_one_key_refuse_the_whole_batch""",
    "reads": """
        a_limit_counts_before_filtering_and_leaves_a_key_even_on_an_empty_page
        a_page_ends_at_one_megabyte_before_filtering
        a_projection_reaches_into_maps_and_lists
        a_scan_goes_on_when_its_start_key_has_been_deleted
        batch_get_refuses_duplicates_and_more_than_100_keys
        parallel_scan_segments_are_complete_and_disjoint
        query_sorts_numbers_by_value_and_pages_both_ways
        sort_key_conditions_compare_by_value
        strongly_consistent_reads_of_a_global_index_are_refused
        total_segments_end_at_one_million""",
    "requests": """
        a_data_call_on_a_missing_table_does_not_repeat_its_name
        a_value_has_exactly_one_type
        an_empty_expression_is_refused
        an_empty_list_of_requests_is_refused
        every_placeholder_is_used
        expressions_and_their_older_forms_do_not_mix
        placeholders_need_an_expression_and_the_sign_of_their_kind
        wrong_members_are_all_named_and_a_wrong_table_name_alone""",
    "restore": """
        a_provisioned_override_needs_a_throughput_and_a_throughput_needs_provisioned
        a_restore_brings_back_the_items_of_the_chosen_second
        a_restored_table_has_an_identity_of_its_own
        a_restored_table_keeps_keys_indexes_billing_and_encryption
        a_restored_table_loses_stream_ttl_pitr_tags_protection_policy_and_class
        a_target_that_is_still_restoring_is_table_in_use
        an_index_override_may_rename_but_not_invent
        an_omitted_index_override_keeps_all_and_an_empty_one_drops_all
        an_unknown_source_is_table_not_found
        checks_run_shape_then_recovery_then_window_then_target
        exactly_one_of_time_and_latest_is_required
        latest_restores_the_state_of_300_seconds_ago
        latest_right_after_enabling_restores_zero_items
        on_demand_maxima_are_carried_over
        with_pitr_off_the_error_is_point_in_time_recovery_unavailable""",
    "scaling": """
        a_minimum_above_the_maximum_is_refused
        a_new_policy_name_replaces_the_policy_of_the_dimension
        a_policy_needs_a_target_and_a_value_of_20_to_90
        a_target_needs_an_existing_table_or_index
        an_updated_policy_keeps_one_set_of_alarms
        deregistering_a_target_takes_its_policies_along
        raising_the_minimum_lifts_the_capacity_at_once
        targets_and_policies_outlive_a_deleted_table""",
    "settings": """
        a_new_index_keeps_the_definitions_of_the_table_and_holds_its_items
        a_provisioned_index_needs_a_throughput
        a_stream_is_not_enabled_twice_and_has_a_new_arn_when_enabled_again
        on_demand_maxima_are_stored_and_removed_by_minus_one
        on_demand_maxima_need_on_demand_billing
        provisioned_billing_needs_a_throughput_and_on_demand_refuses_one
        table_class_is_stored_updated_and_echoed""",
    "table_checks": """
        a_local_index_needs_a_sort_key_of_the_table_and_its_partition_key
        a_missing_ttl_attribute_is_refused
        a_table_needs_a_proper_name_and_a_key_schema
        an_index_over_undefined_attributes_is_refused
        an_update_asks_for_a_change
        encryption_with_a_key_of_ones_own_can_be_switched_off
        index_names_are_used_once
        throughput_is_at_least_one_unit_and_another_than_before""",
    "transactions": """
        a_cancelled_transaction_changes_nothing_and_gives_a_reason_for_each_item
        a_client_token_makes_a_repetition_do_nothing_for_ten_minutes
        a_condition_is_checked_before_the_update_is_tried
        a_transaction_costs_twice_what_its_writes_cost
        a_transaction_writes_all_of_its_items_at_once
        an_empty_key_and_a_doubled_item_refuse_the_whole_transaction""",
    "updates": """
        a_delete_with_an_expectation_that_fails_deletes_nothing
        a_table_with_local_indexes_tells_the_size_of_a_collection
        an_update_may_group_its_operands
        an_update_may_read_a_key_and_not_change_it
        an_update_returns_what_it_set_even_to_the_same_value_and_not_what_it_removed
        attributes_to_get_are_all_that_is_returned""",
    "window": """
        a_recovery_period_is_rejected_together_with_enabled_false
        right_after_enabling_both_bounds_are_pinned_to_the_enable_time
        the_latest_restorable_time_trails_now_by_300_seconds
        the_recovery_period_is_1_to_35_days_and_35_by_default
        without_pitr_the_window_is_absent""",
}
# what these modules' tests share; one test module for each of them here, since the names are the same
FIXTURES = {"capacity": "table", "conditions": "kinds", "scaling": "table"}


def cases_of(*modules: str) -> dict[str, Any]:
    """The tests of these modules, and their fixtures, by name: for the `globals()` of a test module."""
    found: dict[str, Any] = {}
    for module in modules:
        held = importlib.import_module(f"tests.sandbox.aws.test_{module}")
        names = [f"test_{name}" for name in SAME[module].split()]
        if module in FIXTURES:
            names.append(FIXTURES[module])
        found |= {name: getattr(held, name) for name in names}
    return found


def claims_with_a_case() -> frozenset[str]:
    """Names of the claims, without `test_`."""
    return frozenset(name for names in SAME.values() for name in names.split())
