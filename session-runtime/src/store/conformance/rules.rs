//! The list of all rules, and the macro that turns them into tests.

/// Creates a module with one test per rule of the store contract.
///
/// See the [module](crate::store::conformance) for how to use it.
#[macro_export]
macro_rules! store_conformance {
    ($(#[$attribute:meta])* $name:ident, $make:expr $(,)?) => {
        $crate::__store_rules! { [$crate::__store_tests] [$(#[$attribute])*] $name, $make }
    };
}

/// Calls `callback! { {input} {theme [need …] { rule … } …} }`. The needs apply to the rules that
/// follow; a theme with different needs is listed several times.
#[doc(hidden)]
#[macro_export]
macro_rules! __store_rules {
    ([$($callback:tt)+] $($input:tt)*) => {
        $($callback)+! {
            { $($input)* }
            {
                records [] {
                    a_created_record_is_read_back_whole
                    create_never_overwrites_a_live_record
                    create_never_overwrites_an_expired_record
                    an_unknown_id_is_absent
                    only_the_current_secret_opens_a_record
                    a_load_with_the_wrong_secret_leaves_no_trace
                    a_reload_finds_the_record_under_its_epoch_only
                }
                records [revocation] {
                    create_never_takes_the_id_of_a_destroyed_record
                }
                records [atomic_patches] {
                    of_many_creates_of_one_id_one_succeeds
                }
                fields [] {
                    field_bytes_come_back_exactly
                    a_field_may_have_any_name
                    large_records_come_back_whole
                    a_patch_touches_only_what_it_names
                    a_removed_field_is_absent_not_null
                    removing_the_last_field_keeps_the_record
                    a_conditional_removal_spares_a_changed_value
                    a_take_hands_out_the_bytes_and_removes_the_field
                }
                fields [atomic_patches] {
                    a_field_is_taken_at_most_once
                }
                additions [] {
                    an_addition_starts_from_its_default
                    an_addition_saturates_at_its_bounds
                    an_addition_is_exact_for_large_numbers
                    an_addition_refuses_what_is_not_an_integer
                }
                additions [atomic_patches] {
                    concurrent_additions_are_all_counted
                }
                patches [] {
                    every_patch_raises_the_revision_by_one
                    an_expected_revision_must_hold
                    an_expected_field_must_hold
                    a_conflict_leaves_no_trace
                    a_refused_patch_leaves_no_trace
                    the_guard_comes_before_the_expectations
                }
                patches [revocation] {
                    a_patch_is_never_an_upsert
                }
                repeats [] {
                    a_repeated_patch_is_answered_not_applied
                    a_repeated_addition_is_not_added_again
                    a_repeated_take_hands_out_nothing
                    a_repeated_patch_is_known_before_its_expectations
                    a_repeated_renewal_is_known_under_the_old_epoch
                    the_last_few_patches_are_remembered
                    patch_ids_are_compared_in_full
                    a_repetition_that_may_be_forgotten_is_uncertain
                }
                repeats [atomic_patches] {
                    a_patch_repeated_concurrently_is_applied_once
                }
                expiry [] {
                    a_session_ends_at_the_exact_millisecond
                    an_expired_session_counts_as_absent_everywhere
                    a_patch_just_after_expiry_is_still_stored
                    an_expired_session_says_why_for_as_long_as_patches_have
                    a_patch_after_the_leeway_is_refused
                    a_patch_in_the_leeway_does_not_make_the_session_live
                    a_sign_in_in_the_leeway_makes_the_session_live_again
                }
                expiry [revocation] {
                    a_clock_that_jumps_backwards_does_no_harm
                }
                lifetimes [] {
                    a_touch_is_written_only_when_due
                    a_touch_extends_the_session_and_changes_no_data
                    only_a_load_that_asks_for_it_touches
                    a_touch_never_revives
                    the_absolute_limit_holds_however_active_a_session_is
                    a_new_lifetime_restarts_both_limits
                    no_limit_means_none_up_to_the_cap
                    huge_limits_do_not_overflow
                }
                sweeping [] {
                    a_sweep_removes_what_is_due
                    a_sweep_never_removes_more_than_its_limit
                    a_sweep_leaves_what_is_not_due
                    a_sweep_spares_a_session_that_was_extended
                }
                sweeping [atomic_patches revocation] {
                    a_sweep_racing_with_a_sign_in_ends_nothing_live
                }
                sweeping [revocation] {
                    a_sweep_keeps_what_was_ended_lately
                }
                renewal [revocation] {
                    a_renewal_replaces_the_secret_and_raises_the_epoch
                    a_renewal_is_one_step_with_its_data
                    an_epoch_is_raised_without_a_new_secret
                    the_old_secret_is_retired_for_a_minute
                    several_old_secrets_are_retired
                    writes_of_an_older_epoch_are_superseded
                }
                renewal [atomic_patches revocation] {
                    of_many_renewals_of_one_epoch_one_succeeds
                }
                retirement [revocation] {
                    delete_says_whether_a_live_session_was_there
                    a_destroyed_session_is_gone_for_everyone
                    delete_needs_no_epoch
                    a_destroyed_session_is_remembered_for_a_minute
                    a_replaced_secret_stays_retired_when_its_record_is_destroyed
                    destroying_an_expired_session_ends_its_leeway
                }
                retirement [atomic_patches revocation] {
                    of_many_deletes_one_ends_the_session
                }
                endings [revocation] {
                    a_destroyed_session_says_why_it_ended_and_when
                    a_replaced_secret_says_when_it_was_replaced
                    who_was_on_the_way_when_a_session_ended_is_late
                    a_replaced_secret_tells_of_the_sign_in_while_that_holds
                }
                secrets [] {
                    any_of_several_secrets_opens_a_session
                }
                secrets [revocation] {
                    of_several_secrets_the_newest_counts
                }
                belonging [] {
                    the_realm_of_a_session_is_kept
                    the_last_principal_is_remembered
                }
                reads [] {
                    a_patch_needs_no_trust_in_what_its_caller_read
                    no_patch_undoes_a_touch_or_a_confirmation
                }
                rotation [] {
                    a_pending_secret_leaves_the_present_one_good
                    presenting_the_next_secret_confirms_it
                    a_load_that_only_looks_confirms_too
                    a_rotation_changes_no_authority
                    a_confirmation_changes_no_revision
                    a_repeated_rotation_answers_the_pending_nonce
                    a_replaced_secret_begins_no_rotation
                }
                rotation [revocation] {
                    the_secret_before_is_good_for_the_grace
                    a_request_that_arrived_within_the_grace_is_answered
                    secrets_that_join_open_beside_the_present_one
                    a_replayed_secret_is_reported_and_opens_nothing
                    a_change_of_privilege_retires_the_neighbours_of_the_secret
                    a_destroyed_session_retires_the_neighbours_of_its_secret
                }
                rotation [atomic_patches] {
                    concurrent_rotations_agree_on_one_nonce
                }
                versions [] {
                    the_versions_of_a_record_are_kept
                    an_expected_version_must_hold
                }
                caps [principal_index revocation] {
                    a_sign_in_beyond_the_cap_is_refused
                    a_sign_in_beyond_the_cap_ends_the_oldest
                    as_many_sessions_end_as_make_room
                    only_live_sessions_of_that_principal_count
                    a_session_does_not_count_itself
                    the_cap_concerns_who_is_signed_in_afterwards
                    a_repeated_sign_in_is_known_before_its_cap
                    an_evicted_session_is_retired
                }
                caps [atomic_patches principal_index revocation] {
                    a_cap_is_exact_under_concurrent_sign_ins
                    of_many_evicting_sign_ins_as_many_are_left_as_the_cap_says
                }
                tickets [principal_index revocation] {
                    revoking_all_stops_a_login_that_began_before
                    a_login_of_the_same_millisecond_began_before
                    revoking_one_or_others_stops_no_login
                    a_revocation_is_forgotten_when_every_ticket_has_ended
                }
                tickets [atomic_patches principal_index revocation] {
                    no_login_survives_a_revocation_that_it_races_with
                }
                limits [limits] {
                    a_field_may_reach_the_limit_and_not_exceed_it
                    a_record_may_reach_the_limit_and_not_exceed_it
                    what_is_too_large_leaves_no_trace
                }
                limits [atomic_patches limits] {
                    concurrent_growth_stops_at_the_limit
                }
                listings [principal_index revocation] {
                    a_listing_shows_exactly_the_sessions_of_a_principal
                    principals_are_compared_byte_for_byte
                    a_listing_shows_the_newest_data
                    a_changed_principal_moves_the_session
                    an_ended_session_leaves_the_listing
                    a_listing_keeps_a_session_that_was_extended
                    a_long_listing_is_complete
                }
                listings [scan revocation] {
                    the_count_is_that_of_live_sessions
                }
                revocation [principal_index revocation] {
                    revoke_one_ends_only_a_session_of_that_principal
                    revoke_others_spares_only_the_kept_session
                    revoke_all_ends_every_session_of_the_principal
                    revoking_ends_sessions_within_the_leeway
                    a_revoked_session_is_remembered_for_a_minute
                }
                revocation [atomic_patches principal_index revocation] {
                    a_session_that_signs_in_during_a_revocation_is_ended_or_listed
                }
                steps [principal_index revocation] {
                    a_listing_comes_in_pages
                    a_revocation_goes_in_steps_and_ends
                }
                scans [scan revocation] {
                    a_walk_finds_every_live_session
                    a_walk_shows_nothing_that_has_ended
                    a_walk_misses_nobody_while_others_come_and_go
                    a_walk_goes_on_from_a_kept_cursor
                }
                races [atomic_patches revocation] {
                    concurrent_writers_of_different_fields_lose_nothing
                    a_writer_never_revives_a_destroyed_session
                    a_sign_in_separates_earlier_writes_from_later_ones
                    expected_revisions_make_a_correct_counter
                    a_touch_never_undoes_a_write
                }
                histories [atomic_patches] {
                    a_concurrent_history_has_a_sequential_order
                }
                walk [revocation] {
                    a_long_random_history_equals_the_reference
                }
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_tests {
    (
        { $attributes:tt $name:ident, $make:expr }
        { $($theme:ident $needs:tt { $($rule:ident)* })* }
    ) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn fixture() -> $crate::store::conformance::Fixture<impl $crate::store::SessionStore> {
                $crate::store::conformance::Fixture::open($make).await
            }

            $($($crate::__store_test! { $attributes $rule })*)*
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_test {
    ([$($attributes:tt)*] $rule:ident) => {
        #[test]
        $($attributes)*
        fn $rule() {
            $crate::store::conformance::check(
                ::core::stringify!($rule),
                fixture(),
                $crate::store::conformance::$rule,
            );
        }
    };
}

macro_rules! publish {
    ({} { $($theme:ident $needs:tt { $($rule:ident)* })* }) => {
        $(#[doc(hidden)] pub use $theme::{$($rule),*};)*

        /// The names of all rules, in the order of the list.
        pub const RULES: &[&str] = &[$($(stringify!($rule)),*),*];

        /// The needs of each rule.
        const NEEDS: &[(&str, &[needs::Need])] =
            &[$($((stringify!($rule), rules::needs!($needs)),)*)*];
    };
}
pub(super) use publish;

macro_rules! needs {
    ([$($need:ident)*]) => { &[$(needs::Need::$need),*] };
}
pub(super) use needs;
