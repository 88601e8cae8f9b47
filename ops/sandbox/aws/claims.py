"""What the sandbox claims to do as AWS does, each claim with its source and its test, and what it does not imitate.

Reports and documentation print this list. Claims are appended, never reordered: an id is quoted in reports.
"""

from __future__ import annotations

from dataclasses import dataclass

GUIDE = "docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
API = "docs.aws.amazon.com/amazondynamodb/latest/APIReference/"
OBSERVED = "observed on the service; AWS documents no such statement"


@dataclass(frozen=True, slots=True)
class Claim:
    """One behaviour of AWS that the sandbox shows. The test's name is the statement."""

    id: str
    source: str
    test: str

    @property
    def statement(self) -> str:
        """The promise in words."""
        words = [_ACRONYMS.get(word, word) for word in self.test.removeprefix("test_").split("_")]
        text = " ".join(words)
        return text[0].upper() + text[1:]


@dataclass(frozen=True, slots=True)
class Gap:
    """One behaviour of AWS that the sandbox does not show: nothing may be concluded about it from a sandbox run."""

    id: str
    statement: str


_ACRONYMS = {
    name: name.upper()
    for name in ("arn", "crc", "csv", "dax", "ion", "json", "kb", "kms", "mb", "pitr", "rds", "ttl", "utf", "zstd")
}

_CLAIMS: tuple[tuple[str, str, str], ...] = (
    ("WINDOW", GUIDE + "PointInTimeRecovery_Howitworks.html", """
        without_pitr_the_window_is_absent
        the_latest_restorable_time_trails_now_by_300_seconds
        the_earliest_restorable_time_moves_with_the_recovery_period
        the_recovery_period_is_1_to_35_days_and_35_by_default
        disabling_and_enabling_again_loses_the_history_and_returns_to_35_days
        enabling_what_is_enabled_keeps_the_history
        the_journal_is_trimmed_to_the_window_and_every_second_inside_it_stays_exact"""),
    ("WINDOW-SEEN", OBSERVED, """
        right_after_enabling_both_bounds_are_pinned_to_the_enable_time
        a_recovery_period_is_rejected_together_with_enabled_false"""),
    ("HISTORY", GUIDE + "PointInTimeRecovery_Howitworks.html", """
        a_restore_brings_back_the_items_of_the_chosen_second
        latest_restores_the_state_of_300_seconds_ago
        every_checkpoint_restores_item_by_item_whatever_ran_at_once
        a_transaction_is_restored_whole_or_not_at_all
        the_history_of_a_restored_table_starts_at_its_restore
        a_failed_update_leaves_no_ghost_item
        a_failed_update_of_an_item_changes_nothing_of_it"""),
    ("RESTORE", API + "API_RestoreTableToPointInTime.html", """
        with_pitr_off_the_error_is_point_in_time_recovery_unavailable
        a_time_outside_the_window_is_refused_with_both_bounds
        an_unknown_source_is_table_not_found
        a_restored_table_keeps_keys_indexes_billing_and_encryption
        a_restored_table_loses_stream_ttl_pitr_tags_protection_policy_and_class
        a_restored_table_has_an_identity_of_its_own
        an_index_override_may_rename_but_not_invent
        another_region_restores_by_arn_and_demands_an_encryption_override"""),
    ("RESTORE-SEEN", OBSERVED, """
        latest_right_after_enabling_restores_zero_items
        exactly_one_of_time_and_latest_is_required
        checks_run_shape_then_recovery_then_window_then_target
        a_target_that_is_still_restoring_is_table_in_use
        on_demand_maxima_are_carried_over
        an_omitted_index_override_keeps_all_and_an_empty_one_drops_all
        a_provisioned_override_needs_a_throughput_and_a_throughput_needs_provisioned"""),
    ("LIFE-SEEN", OBSERVED, """
        a_restoring_table_is_creating_with_a_restore_summary_that_vanishes_at_active
        a_creating_table_answers_resource_not_found_to_data_tags_ttl_and_update
        a_creating_table_answers_table_not_found_to_backup_and_recovery_calls
        a_creating_table_cannot_be_deleted"""),
    ("TABLE", API + "API_TableDescription.html", """
        delete_table_is_refused_under_deletion_protection
        a_table_created_again_under_its_name_has_another_table_id
        item_count_and_size_are_refreshed_only_every_six_hours"""),
    ("BACKUP", API + "API_ListBackups.html", """
        a_backup_holds_the_items_of_its_request
        two_backups_may_have_one_name
        a_backup_outlives_its_table
        list_backups_shows_user_backups_unless_asked_for_others
        the_time_range_is_inclusive_below_and_exclusive_above
        list_backups_pages_by_limit
        backups_of_two_tables_of_one_name_differ_by_table_id
        a_deleted_backup_is_not_found"""),
    ("BACKUP-SEEN", OBSERVED, """
        one_backup_feeds_one_restore_at_a_time
        backup_size_and_count_are_the_stale_statistics_of_the_table
        a_backup_records_stream_and_ttl_but_the_restore_does_not_carry_them"""),
    ("SYSTEM", GUIDE + "PointInTimeRecovery_Howitworks.html", """
        deleting_a_table_with_pitr_leaves_a_system_backup_some_seconds_later
        a_system_backup_cannot_be_deleted_and_expires_after_35_days
        deleting_a_table_without_pitr_leaves_no_backup"""),
    ("EXPORT", GUIDE + "S3DataExport.Output.html", """
        a_full_export_holds_the_items_of_its_export_time
        the_objects_lie_where_aws_puts_them_and_empty_data_files_exist
        a_full_export_plus_the_incremental_after_it_equals_the_next_full_export
        new_image_exports_carry_no_old_images
        incremental_runs_share_one_data_folder_and_the_manifest_tells_them_apart
        ion_lines_read_as_the_documentation_shows_them
        an_ion_export_holds_the_same_items_as_ion_text"""),
    ("EXPORT-CALL", API + "API_ExportTableToPointInTime.html", """
        an_incremental_window_is_15_minutes_to_24_hours
        export_times_outside_the_window_are_refused
        type_and_specification_must_agree
        an_export_needs_pitr_and_an_existing_table
        a_client_token_replays_the_same_export_and_refuses_another
        encryption_parameters_are_echoed_and_a_key_needs_kms
        a_filter_selects_by_key_filter_and_projection
        an_unknown_export_is_not_found
        a_key_condition_is_one_partition_and_a_filter_beside_it_names_no_key
        a_filter_without_a_key_condition_may_name_keys
        a_projection_narrows_the_images_of_an_incremental_and_keeps_its_keys"""),
    ("EXPORT-SEEN", OBSERVED, """
        an_export_is_in_progress_first_and_tells_counts_only_at_the_end
        a_missing_bucket_is_accepted_and_shows_as_failed_later
        list_exports_is_newest_first_and_empty_once_the_table_is_deleted
        denied_buckets_and_missing_keys_show_only_in_describe_export
        an_export_without_a_time_holds_what_is_there_at_its_request"""),
    ("IMPORT", GUIDE + "S3DataImport.Format.html", """
        an_import_reads_every_object_under_the_prefix
        duplicate_keys_are_no_error_but_exceed_the_table
        csv_types_key_columns_and_leaves_the_others_strings
        csv_with_a_header_list_reads_the_first_line_as_data
        a_full_export_can_be_imported_from_its_data_folder
        list_imports_shows_the_jobs_of_a_table_and_describe_echoes_the_request
        an_ion_export_can_be_imported_from_its_data_folder
        each_format_is_read_in_each_compression
        of_duplicate_keys_any_may_win_and_none_is_reported"""),
    ("IMPORT-SEEN", OBSERVED, """
        the_first_unparsable_line_drops_the_rest_of_its_object_and_counts_once
        invalid_items_count_one_by_one_and_the_valid_rows_stay
        counters_are_zero_until_the_end
        the_table_is_invisible_then_creating_then_active_before_the_job_ends
        an_existing_table_is_refused_at_once
        a_missing_bucket_fails_later_and_makes_no_table
        an_empty_prefix_completes_with_an_empty_table
        the_loser_of_two_imports_to_one_name_fails_with_table_already_exists
        the_wrong_compression_imports_nothing
        a_repeated_token_returns_the_job_and_another_table_conflicts
        unparsable_ion_drops_the_rest_of_its_object_and_counts_once
        documents_may_share_a_line_or_span_several"""),
    ("BATCH", API + "API_BatchWriteItem.html", """
        a_batch_holds_at_most_25_requests
        an_empty_batch_is_refused
        two_requests_on_one_key_refuse_the_whole_batch
        equal_numbers_written_differently_are_one_key
        one_bad_item_refuses_the_whole_batch
        a_batch_over_16_mb_on_the_wire_is_refused
        a_missing_table_refuses_the_whole_batch"""),
    ("TYPES", GUIDE + "HowItWorks.NamingRulesDataTypes.html", """
        an_item_of_409600_bytes_is_stored_and_one_more_is_refused
        numbers_come_back_normalised
        an_update_normalises_numbers_too
        more_than_38_digits_out_of_range_or_no_number_is_refused
        numbers_at_the_limits_are_accepted
        empty_sets_duplicates_and_malformed_values_are_refused
        nesting_of_32_levels_is_the_limit
        an_empty_string_is_a_value_outside_keys
        key_lengths_are_2048_and_1024_bytes
        a_key_must_match_the_schema
        an_index_key_of_another_type_or_empty_is_refused
        an_item_without_the_index_key_is_stored_and_not_in_the_index
        binaries_survive_every_way_in_and_out"""),
    ("CAPACITY", GUIDE + "CapacityUnitCalculations.html", """
        sizes_follow_the_published_arithmetic
        reads_cost_one_unit_per_4_kb_and_half_when_eventual
        query_and_scan_round_the_sum_of_the_page
        a_projection_and_a_filter_do_not_lower_the_charge
        batch_get_rounds_each_item
        a_write_costs_one_unit_per_kb_of_the_larger_image
        an_update_is_charged_by_size_and_only_on_request
        an_index_write_is_charged_apart_and_a_changed_index_key_twice
        a_batch_write_adds_up_per_table
        an_index_read_is_charged_to_the_index"""),
    ("READ", GUIDE + "Query.Pagination.html", """
        parallel_scan_segments_are_complete_and_disjoint
        total_segments_end_at_one_million
        a_page_ends_at_one_megabyte_before_filtering
        a_limit_counts_before_filtering_and_leaves_a_key_even_on_an_empty_page
        a_scan_goes_on_when_its_start_key_has_been_deleted
        query_sorts_numbers_by_value_and_pages_both_ways
        sort_key_conditions_compare_by_value
        an_index_query_pages_completely_over_equal_index_keys
        strongly_consistent_reads_of_a_global_index_are_refused
        a_projection_reaches_into_maps_and_lists
        batch_get_refuses_duplicates_and_more_than_100_keys
        responses_carry_the_crc_of_their_body"""),
    ("RETRY", API + "CommonErrors.html", """
        unprocessed_requests_come_back_and_a_loop_over_them_converges
        nothing_processed_at_all_is_an_exception
        batch_get_returns_unprocessed_keys
        a_throttled_call_names_the_resource_and_the_limit"""),
    ("STREAM", GUIDE + "Streams.html", """
        an_update_that_creates_writes_one_insert
        a_write_that_changes_nothing_writes_no_record
        each_change_is_recorded_once_with_both_images
        a_failed_transaction_writes_no_record
        keys_only_streams_carry_no_images
        records_name_the_region_of_their_table
        a_stream_is_not_enabled_twice_and_has_a_new_arn_when_enabled_again"""),
    ("SETTING", API + "API_UpdateTable.html", """
        table_class_is_stored_updated_and_echoed
        on_demand_maxima_are_stored_and_removed_by_minus_one
        on_demand_maxima_need_on_demand_billing
        provisioned_billing_needs_a_throughput_and_on_demand_refuses_one
        a_new_index_keeps_the_definitions_of_the_table_and_holds_its_items
        one_index_is_created_or_deleted_at_a_time_and_only_a_known_one
        a_provisioned_index_needs_a_throughput"""),
    ("TTL", API + "API_UpdateTimeToLive.html", """
        ttl_changes_once_an_hour
        ttl_refuses_a_change_that_changes_nothing"""),
    ("REPLICA", GUIDE + "V2globaltables_HowItWorks.html", """
        a_replica_is_a_table_of_its_own_with_the_items
        changes_reach_the_other_region_both_ways
        pitr_tags_and_protection_are_per_region_and_ttl_is_not
        a_replica_has_a_recovery_history_of_its_own
        a_region_takes_one_replica_and_not_the_own_one
        a_deleted_replica_is_gone_and_the_home_table_stands_alone
        a_source_of_a_replica_cannot_be_deleted_for_24_hours
        an_index_created_on_one_member_appears_on_the_other"""),
    ("REPLICA-SEEN", OBSERVED, """
        adding_a_replica_enables_the_stream_which_then_cannot_change
        replica_updates_are_alone_and_one_at_a_time
        a_provisioned_table_needs_write_scaling_on_itself_and_every_index"""),
    ("SCALING", "docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html", """
        a_target_needs_an_existing_table_or_index
        a_minimum_above_the_maximum_is_refused
        a_policy_needs_a_target_and_a_value_of_20_to_90
        a_new_policy_name_replaces_the_policy_of_the_dimension
        raising_the_minimum_lifts_the_capacity_at_once
        targets_and_policies_outlive_a_deleted_table
        deregistering_a_target_takes_its_policies_along
        an_updated_policy_keeps_one_set_of_alarms"""),
    ("DAX", GUIDE + "DAX.cluster-management.html", """
        dax_subnet_groups_live_and_die
        dax_parameter_groups_start_at_300000_ms_and_take_known_names_only
        a_dax_cluster_remembers_its_groups_and_has_an_endpoint
        a_dax_cluster_refuses_groups_that_do_not_exist"""),
    ("PLAN", "docs.aws.amazon.com/aws-backup/latest/devguide/API_CreateBackupSelection.html", """
        backup_selections_are_created_read_listed_and_deleted
        a_backup_plan_with_selections_is_not_deleted
        a_selection_needs_an_existing_plan"""),
    ("PLAN-VERSION", "docs.aws.amazon.com/aws-backup/latest/devguide/API_UpdateBackupPlan.html", """
        a_changed_backup_plan_is_another_version_and_keeps_its_selections"""),
    ("SSE", API + "API_UpdateTable.html", """
        the_key_of_a_table_is_changed_in_place_and_taken_off"""),
    ("RDS-SUBNETS", "docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBSubnetGroup.html", """
        a_subnet_group_that_got_other_subnets_is_still_there"""),
    ("RDS", "docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html", """
        an_rds_instance_of_a_bound_engine_reports_the_database_and_its_credentials
        a_restored_rds_instance_does_not_pretend_to_be_its_source"""),
    ("IMPORT-LOG", GUIDE + "S3DataImport.Validation.html", """
        errors_are_logged_one_event_each_with_the_place_of_the_item"""),
    ("BULK", API + "API_StartBulkPutItems.html", """
        a_bulk_put_writes_into_an_existing_table_and_leaves_its_other_items
        a_bulk_put_reads_ion
        a_bulk_token_replays_its_operation_and_refuses_other_parameters
        a_bulk_put_needs_1024_units_a_known_tier_and_json_or_ion
        a_bulk_put_reads_both_formats_in_each_compression"""),
    ("BULK-RUN", API + "API_BulkOperationDescription.html", """
        invalid_input_makes_it_completed_with_errors_and_counts_as_processed_too
        a_cancelled_bulk_put_keeps_what_it_has_written
        bulk_operations_are_listed_newest_first_in_pages_of_10_for_90_days"""),
    ("THROUGHPUT", API + "API_ThrottlingReason.html", """
        writes_beyond_the_provisioned_capacity_are_throttled_with_the_reason
        what_the_capacity_does_not_admit_of_a_batch_comes_back_unprocessed
        a_batch_of_which_nothing_is_admitted_is_an_exception
        reads_are_charged_by_page_and_throttled_apart_from_writes
        an_exhausted_index_throttles_the_write_and_is_named
        a_maximum_of_an_on_demand_table_throttles_as_throttling_exception
        an_update_is_charged_like_a_put"""),
    ("PHASE", API + "API_UpdateTable.html", """
        a_new_table_is_creating_first_when_that_is_switched_on
        an_updating_table_answers_data_calls_and_refuses_another_update
        a_new_index_is_creating_and_cannot_be_read_until_it_is_filled"""),
    ("PHASE-SEEN", OBSERVED, """
        backups_are_unavailable_for_some_seconds_after_a_table_is_active"""),
    ("INSIGHTS", API + "API_UpdateContributorInsights.html", """
        contributor_insights_are_enabled_disabled_and_listed_per_table_and_index"""),
    ("KINESIS", API + "API_EnableKinesisStreamingDestination.html", """
        a_table_has_one_live_kinesis_destination_and_a_disabled_one_stays_listed"""),
    ("WARM", API + "API_WarmThroughput.html", """
        warm_throughput_only_rises"""),
    ("RESTORE-ASSUMED", "assumed: no page names these among what a restore keeps", """
        a_restored_table_has_no_insights_no_kinesis_and_no_raised_warm_throughput"""),
    ("QUOTA", GUIDE + "ServiceQuotas.html", """
        a_table_goes_on_demand_four_times_in_24_hours_and_back_any_time
        capacity_decreases_four_times_a_day_then_once_an_hour_without_one"""),
    ("CLASS", GUIDE + "WorkingWithTables.tableclasses.html", """
        a_table_class_changes_twice_in_30_days"""),
    ("EXPIRY", GUIDE + "howitworks-ttl.html", """
        an_expired_item_is_deleted_within_days_and_read_until_then
        ttl_acts_an_hour_after_it_was_enabled_at_the_earliest
        ttl_ignores_other_types_and_what_expired_more_than_five_years_ago
        ttl_switched_off_deletes_nothing_more
        what_ttl_deleted_is_in_the_history_and_lives_on_in_a_restored_table"""),
    ("EXPIRY-STREAM", GUIDE + "time-to-live-ttl-streams.html", """
        a_ttl_deletion_names_the_service_in_the_stream"""),
    ("STREAM-KEPT", GUIDE + "Streams.html", """
        stream_records_are_gone_after_24_hours_and_an_old_iterator_says_so"""),
    ("REPLICATION", GUIDE + "V2globaltables_HowItWorks.html", """
        a_change_reaches_the_other_region_after_the_lag
        paused_replication_catches_up_when_it_is_resumed
        of_concurrent_writes_in_two_regions_the_last_writer_wins_everywhere
        a_lagging_replica_restores_what_it_had_and_not_what_the_source_had
        what_ttl_deletes_in_one_region_is_deleted_in_the_others"""),
    ("DISASSOCIATE", GUIDE + "globaltables-disassociate.html", """
        disassociation_needs_its_protection_off_and_the_request_in_the_own_region
        of_two_replicas_both_stand_alone_after_a_disassociation_and_keep_their_data
        disassociation_waits_for_what_is_under_way"""),
    ("CONDITION", GUIDE + "Expressions.OperatorsAndFunctions.html", """
        what_cannot_be_compared_is_false_and_never_an_error
        nothing_is_compared_with_itself"""),
    ("BULK-LIMIT", GUIDE + "BulkPutItems.Considerations.html", """
        a_bulk_put_needs_a_table_that_is_no_replica_and_not_being_restored
        no_replica_is_added_while_a_bulk_put_runs"""),
    ("VAULT", "docs.aws.amazon.com/aws-backup/latest/devguide/API_StartRestoreJob.html", """
        a_backup_job_is_created_runs_and_completes_with_a_recovery_point
        a_recovery_point_restores_the_items_of_its_start
        a_restore_job_runs_while_its_table_is_creating
        a_restore_job_loses_the_settings_that_every_restore_loses
        tags_come_along_only_when_a_restore_job_asks_for_them
        a_restore_job_to_a_name_in_use_fails_and_says_why
        a_recovery_point_that_is_not_completed_cannot_be_restored
        recovery_points_are_listed_by_vault_and_by_resource
        cold_storage_lasts_90_days_and_a_point_goes_when_its_lifecycle_ends
        a_deleted_recovery_point_is_gone_and_a_vault_with_points_stays
        a_locked_vault_fails_jobs_outside_its_retention_and_keeps_its_points
        dynamodb_cannot_delete_a_recovery_point_with_advanced_features
        without_advanced_features_the_point_is_a_dynamodb_backup_that_dynamodb_may_delete
        a_copy_in_another_region_restores_there
        an_idempotency_token_returns_the_job_that_it_started
        a_stopped_backup_job_leaves_no_recovery_point
        an_unknown_job_is_not_found
        a_backup_job_needs_its_required_members"""),
    ("RESTORE-TESTING", "docs.aws.amazon.com/aws-backup/latest/devguide/API_PutRestoreValidationResult.html", """
        a_verdict_is_kept_with_a_completed_restore_job_only
        restore_testing_plans_and_selections_are_created_changed_and_deleted"""),
    ("RDS-RESTORE", "docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIT.html", """
        a_restored_instance_has_the_rows_of_the_chosen_instant_in_a_database_of_its_own
        several_instants_of_one_database_are_restored_each_as_it_was
        the_latest_restorable_time_trails_by_five_minutes_and_latest_restores_it
        a_restore_time_outside_the_window_or_with_latest_is_refused
        without_backup_retention_there_is_no_point_in_time_restore
        a_snapshot_restores_the_rows_of_its_instant_also_as_a_copy
        a_restored_instance_is_creating_first_and_has_no_endpoint_yet
        a_restore_resets_groups_zones_and_protection_unless_the_request_names_them
        a_deleted_instance_takes_its_database_along_and_comes_back_from_its_final_snapshot
        retained_backups_of_a_deleted_instance_restore_it_by_its_resource_id"""),
    ("RDS-ASSUMED", "assumed: for PostgreSQL the API names the secret only at a modification, not at a restore", """
        a_restored_instance_gets_its_own_managed_secret_by_a_modification"""),
    ("REQUEST", API + "CommonErrors.html", """
        expressions_and_their_older_forms_do_not_mix
        an_empty_list_of_requests_is_refused
        wrong_members_are_all_named_and_a_wrong_table_name_alone
        a_value_has_exactly_one_type"""),
    ("REQUEST-SEEN", OBSERVED, """
        placeholders_need_an_expression_and_the_sign_of_their_kind
        every_placeholder_is_used
        an_empty_expression_is_refused
        a_data_call_on_a_missing_table_does_not_repeat_its_name"""),
    ("KEY-CONDITION", GUIDE + "Query.KeyConditionExpressions.html", """
        a_key_condition_may_be_grouped_and_turned_round
        a_wrong_key_condition_is_refused_before_an_item_is_read
        of_several_sort_keys_all_but_the_last_need_equality
        a_query_starts_only_where_one_of_its_pages_can_have_ended"""),
    ("TRANSACTION", API + "API_TransactWriteItems.html", """
        a_transaction_writes_all_of_its_items_at_once
        a_cancelled_transaction_changes_nothing_and_gives_a_reason_for_each_item
        a_condition_is_checked_before_the_update_is_tried
        an_empty_key_and_a_doubled_item_refuse_the_whole_transaction
        a_client_token_makes_a_repetition_do_nothing_for_ten_minutes
        a_transaction_costs_twice_what_its_writes_cost"""),
    ("ITEM-UPDATE", API + "API_UpdateItem.html", """
        an_update_may_group_its_operands
        an_update_may_read_a_key_and_not_change_it
        an_update_returns_what_it_set_even_to_the_same_value_and_not_what_it_removed
        a_table_with_local_indexes_tells_the_size_of_a_collection
        attributes_to_get_are_all_that_is_returned
        a_delete_with_an_expectation_that_fails_deletes_nothing"""),
    ("CREATE", API + "API_CreateTable.html", """
        a_table_needs_a_proper_name_and_a_key_schema
        a_local_index_needs_a_sort_key_of_the_table_and_its_partition_key
        index_names_are_used_once"""),
    ("UPDATE", API + "API_UpdateTable.html", """
        an_update_asks_for_a_change
        throughput_is_at_least_one_unit_and_another_than_before
        an_index_over_undefined_attributes_is_refused
        encryption_with_a_key_of_ones_own_can_be_switched_off"""),
)  # fmt: skip

NOT_IMITATED: tuple[Gap, ...] = (
    Gap("GAP-01", "Durations: a restore, export or import takes seconds of sandbox time, on AWS minutes to hours."),
    Gap("GAP-02", "Throttling of a hot partition, of transactions and of PartiQL; the rest is off until switched on."),
    Gap("GAP-03", "IAM, KMS and bucket policies: nothing is denied, no key is used, signatures are not verified."),
    Gap("GAP-04", "Quotas and call rates: no limit on concurrent restores, exports, imports or describe calls."),
    Gap("GAP-05", "Data in a backup or export torn across items: every snapshot is exact to its instant."),
    Gap("GAP-06", "Which throughput and indexes a restore gives: the source's present ones; AWS's pages disagree."),
    Gap("GAP-07", "Durability: AWS's side is in memory; only `ops sandbox down --keep` writes it, a kill loses it."),
    Gap("GAP-08", "DELETING phases and phases of replicas; CREATING and UPDATING of tables only if switched on."),
    Gap("GAP-12", "Bulk puts: lines with a condition, report objects; the form of ARNs and failure codes is assumed."),
    Gap("GAP-13", "Strong consistency across Regions (MRSC), and conflicts that it refuses."),
    Gap("GAP-15", "Application Auto Scaling by load: capacity never moves except up to a raised minimum."),
    Gap("GAP-17", "The DAX data path: no emulator speaks its protocol. Clusters are available at once."),
    Gap("GAP-18", "Schedules of AWS Backup: no plan and no restore test runs by itself; resources but DynamoDB."),
    Gap("GAP-19", "RDS: snapshots of a restored instance; data of engines but PostgreSQL; Aurora endpoints."),
    Gap("GAP-20", "Capacity of PartiQL, and of Query or Scan calls with conditions and filters of the old API."),
    Gap("GAP-21", "Stream shards: one for ever, no Lambda event source; a stream switched off is unreadable at once."),
    Gap("GAP-22", "Contributor Insights report nothing and Kinesis destinations receive nothing: the settings only."),
    Gap("GAP-23", "AWS starts a restore although it refuses an empty override structure; the sandbox only refuses."),
    Gap("GAP-24", "Dates of S3 buckets, secrets and scaling targets: this machine's clock, not the sandbox's."),
    Gap("GAP-25", "PartiQL: moto judges some conditions wrongly (IN or several at once); the unreadable is refused."),
    Gap("GAP-26", "The struct around the images of an incremental ION line: `Record`, not confirmed on the service."),
    Gap("GAP-27", "Vector indexes, witnesses and settings of global tables: refused as not imitated."),
    Gap("GAP-28", "The API before expressions: ConditionalOperator OR; what AttributeUpdates may do to which type."),
)  # fmt: skip


def claims() -> tuple[Claim, ...]:
    """Every claim, in order."""
    return tuple(
        Claim(f"{area}-{number:02d}", source, f"test_{name}")
        for area, source, names in _CLAIMS
        for number, name in enumerate(names.split(), start=1)
    )
