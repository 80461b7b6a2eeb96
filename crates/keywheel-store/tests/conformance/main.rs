//! What every store must do, whatever the database below it: one promise per function, run over each of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "tests say what they expect by failing, and are described by their names"
)]

mod accounts;
mod audit;
mod callers;
mod connections;
mod databases;
mod dumps;
mod everything;
mod imports;
mod ledgers;
mod memory;
mod pace;
mod pages;
mod rewraps;
mod rotation_views;
mod rotations;
mod runs;
mod secret_writes;
mod secrets;
mod setup;
mod tags;
mod tree;
mod webhooks;
mod world;

/// A test per promise, over a database of its own.
macro_rules! tests {
    ($database:ident; $($module:ident: $($promise:ident),+ $(,)?;)+) => {$(
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    crate::databases::$database(async |store| crate::$module::$promise(&store).await).await;
                }
            )+
        }
    )+};
}

/// The same tests over each kind of database.
macro_rules! promises {
    ($($promises:tt)+) => {
        mod sqlite {
            tests! { sqlite; $($promises)+ }
        }
        mod postgres {
            tests! { postgres; $($promises)+ }
        }
    };
}

promises! {
    setup:
        a_setting_that_is_replaced_has_its_last_value,
        the_bootstrap_happens_once,
        of_parallel_bootstraps_one_wins_and_nothing_of_the_others_stays,
        a_setting_that_was_kept_once_is_never_replaced;
    accounts:
        an_account_reads_back_by_all_its_names_and_an_address_has_one,
        an_account_without_an_identity_gets_one_and_no_second,
        an_admin_who_has_no_password_yet_is_no_other_admin_and_may_go,
        what_was_proven_counts_only_while_it_is_asked_for,
        an_account_keeps_its_newest_sessions,
        a_deleted_account_takes_identity_sessions_and_tokens_along,
        the_last_account_that_administers_stays_also_when_two_go_at_once,
        a_link_is_good_once_and_until_it_ends_and_a_newer_one_replaces_it,
        a_new_password_ends_all_sessions_but_one_and_voids_the_link,
        a_step_of_one_time_codes_counts_once_under_parallel_sign_ins,
        sessions_are_listed_while_they_go_on_and_are_revoked_by_their_owner_only;
    audit:
        records_read_back_in_a_chain_without_gaps,
        parallel_appends_make_one_chain,
        a_record_that_is_appended_again_counts_once,
        a_part_that_somebody_else_wrote_is_no_part_that_was_written,
        an_entry_is_read_with_both_of_its_parts,
        every_filter_finds_what_it_names_latest_first,
        only_the_oldest_records_are_forgotten_and_the_chain_goes_on;
    tree:
        a_project_comes_with_environments_in_order_and_their_roots,
        slugs_are_taken_once_per_place,
        a_refused_project_leaves_nothing_behind,
        an_identity_sees_the_projects_that_it_is_a_member_of,
        an_update_changes_what_it_names_and_nothing_else,
        an_environment_in_the_middle_moves_the_later_ones,
        a_folder_brings_its_missing_parents,
        a_path_is_taken_once_and_the_root_always_is,
        a_folder_lists_its_children_and_everything_below_without_neighbours,
        a_renamed_folder_takes_everything_below_along,
        folders_are_renamed_all_together_or_none,
        a_deleted_folder_is_gone_with_everything_below;
    secrets:
        a_secret_is_found_by_where_it_is_and_by_its_id,
        a_new_value_is_a_new_version_and_the_old_one_stays,
        an_update_without_a_value_keeps_version_and_value,
        names_are_taken_once_per_folder,
        lists_are_ordered_and_reach_below_only_when_asked,
        secrets_that_refer_to_others_are_found_by_their_current_value,
        a_secret_needs_its_folder,
        so_many_versions_are_kept_as_the_project_says;
    imports:
        an_import_reads_back_with_both_of_its_folders,
        imports_are_numbered_without_gaps_whatever_is_moved_or_deleted,
        a_folder_imports_another_once,
        a_folder_imports_so_many_others_and_parallel_ones_are_numbered_too,
        an_import_follows_a_renamed_folder_and_goes_with_a_deleted_one,
        a_snapshot_shows_one_state_however_many_questions_are_asked,
        a_snapshot_finds_secrets_by_names_and_folders_by_the_hundreds;
    secret_writes:
        all_changes_of_a_list_are_made_or_none,
        names_are_swapped_and_a_name_that_is_given_up_is_free,
        a_change_made_from_something_else_than_what_is_there_is_refused,
        a_moved_secret_keeps_its_id_its_versions_and_its_tags,
        a_reference_written_since_they_were_seen_refuses_a_write_and_no_other_value_does,
        a_renamed_folder_or_environment_counts_as_a_reference_written;
    tags:
        a_tag_is_found_by_its_id_and_its_slug_and_listed_by_slug,
        a_slug_is_taken_once_per_project,
        a_secret_shows_its_tags_by_slug_wherever_it_is_read,
        an_update_replaces_all_tags_of_a_secret_or_none,
        a_deleted_tag_is_gone_from_all_secrets;
    connections:
        a_connection_shows_its_project_and_grows_with_each_change,
        names_are_taken_once_per_project_and_once_for_the_organization,
        a_project_uses_its_own_connections_and_the_common_ones;
    callers:
        an_identity_reads_back_and_pages_by_name,
        a_search_text_is_taken_literally,
        a_member_is_one_once_and_has_the_roles_that_were_set_last,
        who_is_admitted_is_a_member_with_these_roles_whatever_it_was_before,
        a_deleted_identity_takes_its_logins_tokens_and_memberships_along,
        universal_auth_is_given_once_and_settings_read_back_in_order,
        a_limit_on_a_client_secret_holds_exactly_under_parallel_logins,
        a_revoked_client_secret_ends_its_tokens,
        a_limit_on_a_token_holds_exactly_under_parallel_requests,
        a_revoked_token_cannot_be_renewed,
        tokens_that_ended_long_ago_are_forgotten_a_few_at_a_time;
    ledgers:
        due_users_are_claimed_once_and_earliest_first,
        a_claim_takes_no_more_than_its_limit_however_small_the_table_was,
        work_that_is_due_later_than_asked_for_waits,
        due_users_of_accounts_that_are_passed_over_wait,
        an_account_has_so_many_users_held_at_a_time_and_no_more,
        parallel_claims_share_the_due_users_without_overlap,
        a_lease_that_ended_can_be_claimed_by_another_with_a_higher_fence,
        a_write_with_an_old_fence_changes_nothing,
        a_released_lease_is_free_at_once,
        the_leases_of_a_restarted_node_are_void,
        a_user_is_recorded_once_by_its_identity,
        a_ledger_reads_back_as_it_was_written,
        a_user_has_one_open_intent,
        a_commit_that_fails_in_the_middle_changes_nothing,
        only_the_latest_ended_keys_and_creates_are_loaded,
        what_failed_under_a_wrong_clock_is_recalled_and_nothing_else;
    pace:
        turns_of_an_account_follow_each_other_whoever_takes_them,
        the_turns_of_one_second_may_come_at_once;
    runs:
        a_run_reads_back_as_it_stands_and_as_it_ended,
        a_refused_commit_leaves_no_history,
        runs_are_read_latest_first_page_by_page_and_the_newest_are_kept,
        a_lease_is_shown_while_it_is_held;
    pages:
        the_parts_of_each_list_are_the_whole_of_it,
        the_newest_client_secrets_come_first_in_parts_too,
        what_comes_or_goes_between_two_parts_neither_repeats_nor_hides_others,
        a_key_that_nothing_has_or_that_is_elsewhere_shows_nothing_of_others;
    rotations:
        a_first_publish_makes_the_rotation_and_its_two_secrets,
        a_second_publish_gives_both_secrets_their_next_version,
        the_same_publish_made_twice_counts_once,
        a_publish_without_its_values_is_refused,
        a_user_and_a_name_have_one_rotation,
        a_taken_secret_name_refuses_the_whole_commit,
        the_names_of_the_two_secrets_can_be_swapped,
        a_moved_rotation_takes_its_secrets_along,
        names_are_cleared_of_ordinary_secrets_only,
        a_secret_is_rewritten_once_and_only_as_it_was_read,
        a_commit_is_refused_if_a_reference_was_written_since_they_were_seen,
        what_a_rotation_needs_cannot_be_deleted,
        a_removed_rotation_leaves_ordinary_secrets_or_none,
        the_value_of_a_dead_key_is_erased_once_it_is_history;
    rotation_views:
        a_line_says_what_a_rotation_is_and_how_it_stands,
        every_filter_of_a_search_finds_what_it_names_and_counts_it,
        each_state_is_found_and_counted_as_the_rule_has_it,
        every_order_of_a_search_is_the_same_in_parts,
        an_overview_shows_what_comes_next_what_failed_and_what_is_to_be_decided,
        a_survey_has_every_project_with_the_counts_of_its_members_and_rotations,
        the_uses_of_a_connection_are_counted_over_all_projects;
    webhooks:
        a_webhook_reads_back_changes_and_is_deleted,
        a_project_has_so_many_webhooks_and_no_more,
        each_change_of_a_secret_is_told_with_who_made_it,
        only_webhooks_of_the_place_that_are_awake_are_told,
        a_refused_change_is_not_told,
        a_publish_is_one_change_of_the_folder_and_a_failure_is_told,
        a_move_is_told_where_it_left_and_where_it_went,
        a_deleted_folder_is_told_of_each_folder_whose_secrets_go_with_it,
        a_delivery_is_claimed_once_until_its_lease_ends,
        what_is_put_off_is_in_the_log_and_no_attempt,
        a_test_and_the_end_of_a_delivery_happen_at_once,
        of_a_project_so_many_are_told_at_a_time_and_no_more,
        what_waits_goes_with_its_webhook_or_when_that_rests,
        no_more_than_so_many_wait_for_one_webhook,
        a_commit_that_left_something_to_tell_gives_a_hint,
        the_latest_attempts_of_a_webhook_are_kept_and_go_with_it,
        a_publish_that_replaces_a_key_is_told_once_to_who_asks_for_it,
        a_key_that_appears_is_told_once_however_often_it_is_written,
        a_key_that_is_still_used_is_told_once_for_each_retirement,
        that_its_use_holds_a_key_hides_nothing_that_was_told_before,
        a_rotation_that_is_overdue_is_told_once_for_each_date;
}

/// Promises about a database as a whole, which need its address.
macro_rules! places {
    ($($place:ident: $database:ident;)+) => {$(
        mod $place {
            places! { promises $database:
                rewraps every_sealed_value_comes_under_the_new_root_key_and_stays_what_it_is,
                rewraps a_pass_that_was_given_up_is_taken_up_again,
                rewraps a_value_that_is_written_meanwhile_is_not_lost,
                rewraps a_value_that_cannot_be_wrapped_anew_stops_the_pass,
                dumps a_dump_has_every_table_of_the_database,
                dumps every_column_of_bytes_is_known_as_sealed_or_as_a_hash,
            }
        }
    )+};
    (promises $database:ident: $($module:ident $promise:ident,)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            crate::databases::$database(async |url| crate::$module::$promise(url).await).await;
        }
    )+};
}

places! {
    whole_sqlite: sqlite_place;
    whole_postgres: postgres_place;
}

/// From each kind of database to each.
macro_rules! directions {
    ($($direction:ident: $from:ident to $to:ident;)+) => {$(
        mod $direction {
            directions! { promises $from $to:
                everything_comes_over_and_stays_as_it_was,
                a_database_that_is_not_empty_is_refused_and_stays_as_it_was,
                a_load_that_fails_in_the_middle_leaves_nothing,
                a_dump_shows_one_state_whoever_writes_meanwhile,
                numbers_that_were_given_once_are_never_given_again,
            }
        }
    )+};
    (promises $from:ident $to:ident: $($promise:ident,)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            crate::databases::$from(async |from| {
                crate::databases::$to(async |to| crate::dumps::$promise(from, to).await).await;
            })
            .await;
        }
    )+};
}

directions! {
    sqlite_to_sqlite: sqlite_place to sqlite_place;
    sqlite_to_postgres: sqlite_place to postgres_place;
    postgres_to_sqlite: postgres_place to sqlite_place;
    postgres_to_postgres: postgres_place to postgres_place;
}

/// Where one process has the database alone, it counts its writes, and its clock is the only one.
mod sqlite_alone {
    tests! { sqlite;
        setup: the_revision_changes_with_each_write_and_with_no_read;
        audit: an_append_is_no_new_revision;
        runs: a_lease_of_the_far_future_counts_as_over;
    }
}

/// The simulator knows leases, fences and intents, and no more: all that it loads is what there is, and secrets are not its
/// matter.
mod simulator {
    tests! { memory;
        ledgers:
            due_users_are_claimed_once_and_earliest_first,
            parallel_claims_share_the_due_users_without_overlap,
            a_lease_that_ended_can_be_claimed_by_another_with_a_higher_fence,
            a_write_with_an_old_fence_changes_nothing,
            a_released_lease_is_free_at_once,
            the_leases_of_a_restarted_node_are_void,
            a_user_is_recorded_once_by_its_identity,
            a_user_has_one_open_intent,
            a_commit_that_fails_in_the_middle_changes_nothing,
            what_failed_under_a_wrong_clock_is_recalled_and_nothing_else;
    }
}
