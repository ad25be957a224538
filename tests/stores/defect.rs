//! The ways in which a store can be broken.

/// One defect, as seen in the wild or as an honest mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[rustfmt::skip]
pub(crate) enum Defect {
    None,
    // The clock.
    ExpiresLate, ExpiresEarly, ClockOfSeconds, NeverMeansNow, HugeLimitsWrap,
    // Loads.
    OpensForAnySecret, OpensForRetiredSecrets, ForgetsTombstones, NeverForgetsTombstones,
    RetiresAnything, RemembersOneRetired, ForgetsRetiredOnDelete,
    NeverTouches, TouchesUnasked, TouchesForAnybody, TouchIsNotStored, TouchesEveryTime, TouchRaisesRev,
    TouchRestarts, TouchRollsBack, TouchGoesBack, TouchRevives, LoadsFromCache, ReloadsAnyEpoch, ReloadsExpired,
    ReloadsFromCache,
    LooksAtFirstSecret, FirstKnownSecretCounts,
    // Creates.
    CreateSaysCreated, CreateForgetsMeta, CreateForgetsRealm, ReloadForgetsRealm, NormalisesJson, FoldsNames, TruncatesLarge,
    // Patches.
    Upserts, SignInUpserts, RevivesByWriting, IgnoresEpoch, GuardsLast, AnswersOldRev, RewritesFields, IgnoresExpectedRev,
    IgnoresExpectedField, ChecksApart, ConflictsWithOldRecord, RemembersRefused, WritesBeforeChecking,
    RemovesAsNull, DropsEmptyRecords, RemovesIfAnything, KeepsTaken, TakesTwice, WritesWholeRecords,
    AddsFromZero, AddsWrapping, AddsAsDouble, AddsToAnything, AddsInTwoSteps,
    AppliesRepeats, AddsRepeats, RepeatsHandOut, RepeatsAfterExpectations, RepeatsAfterEpoch, RepeatsRace,
    RemembersOnePatch, PatchIdsAsFloats, IgnoresAgain, AgainIsUncertain, AgainAfterEpoch,
    BelievesRead, AddsToRead, PatchUndoesTouch, PatchUndoesConfirmation,
    // The end.
    NoLeeway, EndlessLeeway, LeewayRevives, LeewayIsRemoved, IgnoresLifetimes, PatchIsActivity,
    DeleteSaysTrue, DeleteNeedsEpoch, DeleteSparesExpired, DeleteHides, DeletesInTwoSteps,
    SweepsNothing, SweepsBeyondLimit, SweepsLeeway, SweepsByFirstExpiry, SweepForgetsTombstones,
    SweepsInTwoSteps, SweepsBackwards,
    ExpiresWithoutReason, ExpiresByOneReason, RevokesForOneReason,
    EndsByBrowser, EndsElsewhere, EndedJustNow, EvictsAsBrowser, LastToEndCounts,
    NobodyIsLate, EverybodyIsLate, ForgetsSignIn, AnyRenewalIsSignIn,
    // Renewal.
    IgnoresRaise, IgnoresRenewal, RenewsInTwoSteps, RenewalsAllSucceed, SupersedesNobody,
    // Renewal by age.
    RotationIsRenewal, OldSecretEndsAlone, NeverConfirms, ConfirmsVisitsOnly, ConfirmRaisesEpoch, ConfirmRaisesRev,
    ConfirmIsNotStored, RepeatForgetsNonce, RotationsIgnorePending, RotatesAnySecret, NoGrace, EndlessGrace, GraceIgnoresArrival,
    ReplayIsAbsent, ReplayIsNobodys, ReplayTouches, JoinIsLost, JoinRenews, OneJoins, PendingOutlivesRenewal, ForgetsPending,
    // Schema versions.
    CreateForgetsVersions, ForgetsVersions, MixesVersions, IgnoresExpectedVersion,
    // Caps and tickets.
    IgnoresCaps, IgnoresCapsOfCreates, IgnoresCapsOfPatches, DeniedWrites, CapCountsExpired, CapCountsItself,
    CapSparesMovers, CapSparesStayers, CapBeforeRepeats, CapInTwoSteps, EvictsNewest, EvictsByCreation, EvictsOne,
    EvictsInTwoSteps, EvictsAtOnce, TellsOfNoEviction,
    ForgetsRevocations, RevocationsNeedSessions, SameMillisecondIsLater, AnyRevocationStopsLogins,
    NeverForgetsRevocations, ForgetsRevocationsEarly, NotesRevocationsLast,
    // Whose it was last.
    LoadForgetsLast, ReloadForgetsLast, WalkForgetsLast, SignOutForgetsLast, LastOutlivesSignIn,
    // Limits.
    IgnoresLimits, LimitsForgetNames, LimitsOfFieldsOnly, LimitsInTwoSteps,
    // Walks.
    WalksSignedInOnly, WalksFirstPageOnly, WalksEnded, WalksByCounting, WalksFromTheStart,
    // Principals.
    MixesNamespaces, FoldsPrincipals, ListsOldData, ListsFormer, ListsExpired, PrunesByFirstExpiry,
    ListsOnePage, ListsEverything, ListsFromTheStart, CountsEverything, IgnoresPrincipals,
    RevokesOneStep, RevokesForEver, RevokesAtOnce, RevokesMarkingEachStep,
    RevokesAnybody, RevokesTheKeptOne, RevokesOne, RevokesListedOnly, ForgetsRevoked, IndexesLater,
}
