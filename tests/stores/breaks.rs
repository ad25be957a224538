//! For every rule of the suite, stores that fail it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use session_runtime::store::conformance::{self, Fixture};

use crate::defect::Defect;
use crate::mutant::Mutant;

macro_rules! each_rule_is_failed_by {
    ($($rule:ident: $($defect:ident)+;)*) => {
        const COVERED: &[&str] = &[$(stringify!($rule)),*];

        $(
            #[test]
            fn $rule() {
                for defect in [$(Defect::$defect),+] {
                    let run = || conformance::run(stringify!($rule), async move {
                        let make = |clock| async move { Mutant::new(clock, defect) };
                        conformance::$rule(Fixture::open(make).await).await;
                    });
                    let failed = catch_unwind(AssertUnwindSafe(run)).is_err();
                    assert!(failed, "a store with the defect {defect:?} passes this rule");
                }
            }
        )*
    };
}

#[test]
fn no_rule_is_without_a_store_that_fails_it() {
    let missing = conformance::RULES.iter().filter(|rule| !COVERED.contains(rule));
    assert_eq!(missing.collect::<Vec<_>>(), [&""; 0]);
}

each_rule_is_failed_by! {
    a_created_record_is_read_back_whole: CreateForgetsMeta NeverMeansNow IgnoresPrincipals;
    create_never_overwrites_a_live_record: CreateSaysCreated OpensForAnySecret;
    create_never_overwrites_an_expired_record: CreateSaysCreated;
    create_never_takes_the_id_of_a_destroyed_record: CreateSaysCreated ForgetsTombstones;
    of_many_creates_of_one_id_one_succeeds: CreateSaysCreated OpensForAnySecret;
    an_unknown_id_is_absent: RetiresAnything DeleteSaysTrue;
    only_the_current_secret_opens_a_record: OpensForAnySecret;
    a_load_with_the_wrong_secret_leaves_no_trace: TouchesForAnybody;
    a_reload_finds_the_record_under_its_epoch_only: ReloadsAnyEpoch ReloadsFromCache;

    field_bytes_come_back_exactly: NormalisesJson;
    a_field_may_have_any_name: FoldsNames;
    large_records_come_back_whole: TruncatesLarge LoadsFromCache;
    a_patch_touches_only_what_it_names: NormalisesJson RewritesFields;
    a_removed_field_is_absent_not_null: RemovesAsNull;
    removing_the_last_field_keeps_the_record: DropsEmptyRecords;
    a_conditional_removal_spares_a_changed_value: RemovesIfAnything;
    a_take_hands_out_the_bytes_and_removes_the_field: KeepsTaken;
    a_field_is_taken_at_most_once: TakesTwice;

    an_addition_starts_from_its_default: AddsFromZero;
    an_addition_saturates_at_its_bounds: AddsWrapping;
    an_addition_is_exact_for_large_numbers: AddsAsDouble;
    an_addition_refuses_what_is_not_an_integer: AddsToAnything;
    concurrent_additions_are_all_counted: AddsInTwoSteps;

    a_patch_is_never_an_upsert: Upserts SignInUpserts RevivesByWriting;
    every_patch_raises_the_revision_by_one: AnswersOldRev RewritesFields;
    an_expected_revision_must_hold: IgnoresExpectedRev ConflictsWithOldRecord;
    an_expected_field_must_hold: IgnoresExpectedField;
    a_conflict_leaves_no_trace: WritesBeforeChecking RemembersRefused;
    a_refused_patch_leaves_no_trace: WritesBeforeChecking RemembersRefused;
    the_guard_comes_before_the_expectations: GuardsLast;

    a_repeated_patch_is_answered_not_applied: AppliesRepeats;
    a_repeated_addition_is_not_added_again: AppliesRepeats AddsRepeats;
    a_repeated_take_hands_out_nothing: AppliesRepeats RepeatsHandOut;
    a_repeated_patch_is_known_before_its_expectations: RepeatsAfterExpectations;
    a_repeated_renewal_is_known_under_the_old_epoch: RepeatsAfterEpoch;
    a_patch_repeated_concurrently_is_applied_once: RepeatsRace;
    the_last_few_patches_are_remembered: RemembersOnePatch;
    patch_ids_are_compared_in_full: PatchIdsAsFloats;
    a_repetition_that_may_be_forgotten_is_uncertain:
        IgnoresAgain AgainIsUncertain AgainAfterEpoch AppliesRepeats;

    a_session_ends_at_the_exact_millisecond: ExpiresLate ExpiresEarly ClockOfSeconds;
    an_expired_session_counts_as_absent_everywhere:
        ExpiresLate ReloadsExpired ListsExpired CountsEverything DeleteSaysTrue;
    a_patch_just_after_expiry_is_still_stored: NoLeeway LeewayIsRemoved;
    an_expired_session_says_why_for_as_long_as_patches_have:
        ExpiresWithoutReason ExpiresByOneReason;
    a_patch_after_the_leeway_is_refused: EndlessLeeway;
    a_patch_in_the_leeway_does_not_make_the_session_live: LeewayRevives;
    a_sign_in_in_the_leeway_makes_the_session_live_again: PrunesByFirstExpiry IgnoresLifetimes;
    a_clock_that_jumps_backwards_does_no_harm: TouchGoesBack SweepsBackwards;

    a_touch_is_written_only_when_due: TouchesEveryTime NeverTouches;
    a_touch_extends_the_session_and_changes_no_data: TouchRaisesRev TouchIsNotStored;
    only_a_load_that_asks_for_it_touches: TouchesUnasked PatchIsActivity;
    a_touch_never_revives: TouchRevives;
    the_absolute_limit_holds_however_active_a_session_is: TouchRestarts;
    a_new_lifetime_restarts_both_limits: IgnoresLifetimes;
    no_limit_means_none_up_to_the_cap: NeverMeansNow;
    huge_limits_do_not_overflow: HugeLimitsWrap;

    a_sweep_removes_what_is_due: SweepsNothing;
    a_sweep_never_removes_more_than_its_limit: SweepsBeyondLimit;
    a_sweep_leaves_what_is_not_due: SweepsLeeway;
    a_sweep_spares_a_session_that_was_extended: SweepsByFirstExpiry;
    a_sweep_keeps_what_was_ended_lately: SweepForgetsTombstones;
    a_sweep_racing_with_a_sign_in_ends_nothing_live: SweepsInTwoSteps;

    a_renewal_replaces_the_secret_and_raises_the_epoch: IgnoresRenewal OpensForRetiredSecrets;
    an_epoch_is_raised_without_a_new_secret: IgnoresRaise IgnoresEpoch;
    a_renewal_is_one_step_with_its_data: RenewsInTwoSteps IgnoresPrincipals;
    the_old_secret_is_retired_for_a_minute: ForgetsTombstones NeverForgetsTombstones;
    several_old_secrets_are_retired: RemembersOneRetired;
    writes_of_an_older_epoch_are_superseded: IgnoresEpoch SupersedesNobody;
    of_many_renewals_of_one_epoch_one_succeeds: RenewalsAllSucceed IgnoresEpoch;

    a_destroyed_session_says_why_it_ended_and_when:
        EndsByBrowser EndsElsewhere EndedJustNow EvictsAsBrowser LastToEndCounts ForgetsTombstones
        RevokesForOneReason;
    a_replaced_secret_says_when_it_was_replaced:
        EndsElsewhere EndedJustNow RemembersOneRetired ForgetsPending;
    who_was_on_the_way_when_a_session_ended_is_late: NobodyIsLate EverybodyIsLate EndedJustNow;
    a_replaced_secret_tells_of_the_sign_in_while_that_holds: ForgetsSignIn AnyRenewalIsSignIn;
    any_of_several_secrets_opens_a_session: LooksAtFirstSecret OpensForAnySecret;
    of_several_secrets_the_newest_counts: LooksAtFirstSecret FirstKnownSecretCounts;
    the_realm_of_a_session_is_kept: CreateForgetsRealm ReloadForgetsRealm;
    the_last_principal_is_remembered:
        LoadForgetsLast ReloadForgetsLast WalkForgetsLast SignOutForgetsLast LastOutlivesSignIn;
    a_patch_needs_no_trust_in_what_its_caller_read: BelievesRead AddsToRead;
    no_patch_undoes_a_touch_or_a_confirmation: PatchUndoesTouch PatchUndoesConfirmation;

    a_pending_secret_leaves_the_present_one_good: RotationIsRenewal OldSecretEndsAlone;
    presenting_the_next_secret_confirms_it: NeverConfirms ConfirmIsNotStored;
    a_load_that_only_looks_confirms_too: NeverConfirms ConfirmsVisitsOnly;
    a_rotation_changes_no_authority: RotationIsRenewal ConfirmRaisesEpoch;
    a_confirmation_changes_no_revision: ConfirmRaisesRev;
    a_repeated_rotation_answers_the_pending_nonce: RepeatForgetsNonce RotationsIgnorePending;
    the_secret_before_is_good_for_the_grace: NoGrace EndlessGrace;
    a_request_that_arrived_within_the_grace_is_answered: GraceIgnoresArrival EndlessGrace;
    a_replayed_secret_is_reported_and_opens_nothing: ReplayIsAbsent ReplayIsNobodys EndlessGrace ReplayTouches;
    secrets_that_join_open_beside_the_present_one: JoinIsLost JoinRenews OneJoins;
    a_change_of_privilege_retires_the_neighbours_of_the_secret:
        PendingOutlivesRenewal ForgetsPending IgnoresRenewal;
    a_destroyed_session_retires_the_neighbours_of_its_secret:
        ForgetsPending ForgetsRetiredOnDelete NeverForgetsTombstones;
    a_replaced_secret_begins_no_rotation: RotatesAnySecret;
    concurrent_rotations_agree_on_one_nonce: RotationsIgnorePending;

    the_versions_of_a_record_are_kept: CreateForgetsVersions ForgetsVersions MixesVersions ListsOldData;
    an_expected_version_must_hold: IgnoresExpectedVersion ForgetsVersions MixesVersions;

    a_sign_in_beyond_the_cap_is_refused:
        IgnoresCaps IgnoresCapsOfCreates IgnoresCapsOfPatches DeniedWrites RemembersRefused;
    a_sign_in_beyond_the_cap_ends_the_oldest:
        EvictsNewest EvictsByCreation IgnoresCaps TellsOfNoEviction;
    as_many_sessions_end_as_make_room: EvictsOne EvictsAtOnce TellsOfNoEviction;
    only_live_sessions_of_that_principal_count: CapCountsExpired IgnoresPrincipals;
    a_session_does_not_count_itself: CapCountsItself;
    the_cap_concerns_who_is_signed_in_afterwards: CapSparesMovers CapSparesStayers;
    a_repeated_sign_in_is_known_before_its_cap: CapBeforeRepeats EvictsAtOnce;
    an_evicted_session_is_retired: ForgetsRevoked ListsFormer IgnoresCaps;
    a_cap_is_exact_under_concurrent_sign_ins: CapInTwoSteps;
    of_many_evicting_sign_ins_as_many_are_left_as_the_cap_says:
        EvictsInTwoSteps TellsOfNoEviction;

    revoking_all_stops_a_login_that_began_before: ForgetsRevocations RevocationsNeedSessions;
    a_login_of_the_same_millisecond_began_before: SameMillisecondIsLater;
    revoking_one_or_others_stops_no_login: AnyRevocationStopsLogins;
    a_revocation_is_forgotten_when_every_ticket_has_ended:
        NeverForgetsRevocations ForgetsRevocationsEarly;
    no_login_survives_a_revocation_that_it_races_with: ForgetsRevocations NotesRevocationsLast;

    a_field_may_reach_the_limit_and_not_exceed_it: IgnoresLimits LimitsForgetNames;
    a_record_may_reach_the_limit_and_not_exceed_it: IgnoresLimits LimitsOfFieldsOnly;
    what_is_too_large_leaves_no_trace: IgnoresLimits RemembersRefused;
    concurrent_growth_stops_at_the_limit: LimitsInTwoSteps;

    delete_says_whether_a_live_session_was_there: DeleteSaysTrue;
    a_destroyed_session_is_gone_for_everyone: DeleteHides ListsFormer;
    delete_needs_no_epoch: DeleteNeedsEpoch;
    a_destroyed_session_is_remembered_for_a_minute: ForgetsTombstones NeverForgetsTombstones;
    a_replaced_secret_stays_retired_when_its_record_is_destroyed: ForgetsRetiredOnDelete;
    destroying_an_expired_session_ends_its_leeway: DeleteSparesExpired;
    of_many_deletes_one_ends_the_session: DeletesInTwoSteps;

    a_listing_shows_exactly_the_sessions_of_a_principal: MixesNamespaces;
    principals_are_compared_byte_for_byte: FoldsPrincipals;
    a_listing_shows_the_newest_data: ListsOldData;
    a_changed_principal_moves_the_session: IgnoresPrincipals;
    an_ended_session_leaves_the_listing: ListsExpired ListsFormer;
    a_listing_keeps_a_session_that_was_extended: PrunesByFirstExpiry;
    a_long_listing_is_complete: ListsOnePage;
    the_count_is_that_of_live_sessions: CountsEverything;

    revoke_one_ends_only_a_session_of_that_principal: RevokesAnybody;
    revoke_others_spares_only_the_kept_session: RevokesTheKeptOne;
    revoke_all_ends_every_session_of_the_principal: RevokesOne;
    revoking_ends_sessions_within_the_leeway: RevokesListedOnly;
    a_revoked_session_is_remembered_for_a_minute: ForgetsRevoked;
    a_session_that_signs_in_during_a_revocation_is_ended_or_listed: RenewsInTwoSteps;

    a_listing_comes_in_pages: ListsOnePage ListsEverything ListsFromTheStart MixesNamespaces;
    a_revocation_goes_in_steps_and_ends:
        RevokesOneStep RevokesForEver RevokesAtOnce RevokesMarkingEachStep RevokesTheKeptOne
        ForgetsRevocations;

    a_walk_finds_every_live_session: WalksSignedInOnly WalksFirstPageOnly;
    a_walk_shows_nothing_that_has_ended: WalksEnded;
    a_walk_misses_nobody_while_others_come_and_go: WalksByCounting WalksFirstPageOnly;
    a_walk_goes_on_from_a_kept_cursor: WalksFromTheStart WalksFirstPageOnly;

    concurrent_writers_of_different_fields_lose_nothing: WritesWholeRecords;
    a_writer_never_revives_a_destroyed_session: RevivesByWriting;
    a_sign_in_separates_earlier_writes_from_later_ones: IgnoresEpoch IndexesLater;
    expected_revisions_make_a_correct_counter: ChecksApart ConflictsWithOldRecord;
    a_touch_never_undoes_a_write: TouchRollsBack;

    a_concurrent_history_has_a_sequential_order:
        WritesWholeRecords AddsInTwoSteps TakesTwice ChecksApart ConflictsWithOldRecord;
    a_long_random_history_equals_the_reference:
        IgnoresEpoch ForgetsRetiredOnDelete NoLeeway ListsFormer RepeatsAfterEpoch;
}
