//! The protocol as tables, and in random orders of steps.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::TICKET_LIFETIME;
use crate::record::patch::{AtLimit, Cap, Denied, SignIn};
use crate::token::PatchId;

use super::admission::STEP;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);
const LATER: Timestamp = Timestamp::from_millis(9_000_000_000);

fn id(number: u64) -> SessionId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    SessionId::from_bytes(bytes)
}

fn tag(number: u64) -> PatchId {
    PatchId::from_u64(number)
}

fn age(millis: u64) -> Order {
    (Some(Timestamp::from_millis(millis)), Timestamp::from_millis(millis))
}

/// An entry whose id, tag and age are all the same number.
fn entry(number: u64, state: State) -> Entry {
    Entry { id: id(number), bound: LATER, order: age(number), tag: tag(number), state }
}

fn root(entries: &[Entry]) -> Root {
    Root { entries: entries.to_vec(), ..Root::default() }
}

fn cap(max: u32, at_limit: AtLimit) -> Cap {
    Cap { max: NonZeroU32::new(max).unwrap(), at_limit }
}

fn joining(number: u64, sign_in: SignIn) -> Joining {
    Joining {
        id: id(number),
        tag: tag(number),
        bound: LATER,
        order: age(number),
        sign_in,
        is_new: false,
    }
}

fn capped(max: u32, at_limit: AtLimit) -> SignIn {
    SignIn { cap: Some(cap(max, at_limit)), not_revoked_since: None }
}

const TICKET: SignIn = SignIn { cap: None, not_revoked_since: Some(NOW) };

fn until() -> Timestamp {
    NOW.after(RESERVATION)
}

#[test]
fn an_index_comes_back_as_it_was_written() {
    let states = [
        State::Settled,
        State::Announced(until()),
        State::New(until()),
        State::Reserved(until()),
        State::Confirmed(until()),
        State::Evicted(until()),
        State::Revoked(until()),
        State::Expired(until()),
    ];
    let mut entries: Vec<_> = (0..).zip(states).map(|(n, state)| entry(n, state)).collect();
    entries[0].order.0 = None;
    let bucket = Bucket { number: 3, name: tag(9), count: 7, oldest: age(5), until: LATER };
    for revoked in [None, Some(NOW)] {
        let (entries, buckets) = (entries.clone(), vec![bucket.clone(); 2]);
        let root = Root { revoked, next: 4, entries, buckets };
        assert_eq!(Root::read(&root.write()), Ok(root));
    }
    assert_eq!(Root::read(&Root::default().write()), Ok(Root::default()));
    assert_eq!(read_bucket(&write_bucket(&entries), NOW), Ok(entries.clone()));
    let settled = read_bucket(&write_bucket(&entries), until()).unwrap();
    assert!(settled[..7].iter().all(|entry| entry.state == State::Settled));
}

#[test]
fn what_is_no_index_is_an_error() {
    let good = root(&[entry(1, State::Reserved(NOW))]).write();
    let text = String::from_utf8(good.clone()).unwrap();
    for broken in [
        "".to_owned(),
        text.replacen('1', "2", 1),
        text.replace(" r", " y"),
        text.replace('e', "f"),
        format!("{text}e \n"),
        format!("{text}\n"),
        text.replace(" r", " r r"),
    ] {
        assert_eq!(Root::read(broken.as_bytes()), Err(InvalidIndex), "{broken:?}");
    }
    assert_eq!(read_bucket(&good, NOW), Err(InvalidIndex));
    assert_eq!(Root::read(b"1 - 0\n\xff"), Err(InvalidIndex));
}

#[test]
fn a_revocation_stops_what_began_before_it_and_is_forgotten_after_the_last_login() {
    let since = |at: u64| SignIn { not_revoked_since: Some(Timestamp::from_millis(at)), ..TICKET };
    let revoked = NOW.as_millis();
    for (sign_in, now, expected) in [
        (since(revoked - 1), NOW, Err(Denied::Revoked)),
        (since(revoked), NOW, Err(Denied::Revoked)),
        (since(revoked + 1), NOW, Ok(())),
        (SignIn::default(), NOW, Ok(())),
        (since(revoked), NOW.after(TICKET_LIFETIME), Err(Denied::Revoked)),
        (since(revoked), NOW.after(TICKET_LIFETIME * 2), Ok(())),
    ] {
        let mut root = Root::default();
        root.revoke(NOW);
        assert_eq!(root.reserve(&joining(1, sign_in), now), expected, "{sign_in:?} at {now:?}");
    }
}

#[test]
fn a_sign_in_stands_only_if_nothing_took_its_place() {
    type Change = fn(&mut Root);
    let other: Change = |root| root.evict(&[entry(2, State::Settled)]);
    let nothing: Change = |_| {};
    for (what, change, expected) in [
        ("nothing", nothing, Standing::Stands),
        ("another is evicted", other, Standing::Stands),
        (
            "a repeated reservation",
            |it| it.reserve(&joining(1, TICKET), NOW).unwrap(),
            Standing::Stands,
        ),
        (
            "an earlier confirmation",
            |it| assert_eq!(it.confirm(id(1), tag(1), NOW), Standing::Stands),
            Standing::Stands,
        ),
        ("an eviction", |it| it.evict(&[entry(1, State::Settled)]), Standing::Evicted),
        ("a revocation", |it| it.revoke(NOW), Standing::Revoked),
        ("its end", |it| it.tidy(until()), Standing::TooLate),
        ("its removal", |it| it.cancel(id(1), tag(1)), Standing::TooLate),
        ("a look that found nothing", |it| it.note(&[entry(1, State::Settled)]), Standing::Stands),
    ] {
        let mut root = Root::default();
        root.reserve(&joining(1, TICKET), NOW).unwrap();
        change(&mut root);
        assert_eq!(root.confirm(id(1), tag(1), NOW), expected, "{what}");
    }
    let mut root = Root::default();
    root.reserve(&joining(1, SignIn::default()), NOW).unwrap();
    root.revoke(NOW);
    assert_eq!(root.standing(id(1), tag(1)), Some(State::Announced(until())), "asks for nothing");
}

#[test]
fn an_entry_is_dropped_only_by_its_own_name_and_never_under_way() {
    let quiet = [State::Settled, State::Confirmed(until())];
    for state in quiet {
        let mut root = root(&[entry(1, state), Entry { tag: tag(2), ..entry(1, state) }]);
        root.note(&[entry(1, state)]);
        assert_eq!(root.entries.len(), 1, "{state:?}");
    }
    for state in [State::Announced(until()), State::Reserved(until()), State::Evicted(until())] {
        let mut root = root(&[entry(1, state)]);
        root.note(&[entry(1, State::Settled)]);
        assert_eq!(root.entries.len(), 1, "{state:?}");
    }
}

#[test]
fn what_has_expired_counts_no_more_and_is_still_there_to_be_revoked() {
    let (found, end) = (entry(1, State::Expired(until())), until().after(MARGIN));
    let mut root = root(&[entry(1, State::Settled), entry(2, State::Settled)]);
    root.note(std::slice::from_ref(&found));
    root.reserve(&joining(9, capped(2, AtLimit::Reject)), NOW).unwrap();
    let own = joining(9, capped(2, AtLimit::Reject));
    let mut survey = Survey::new(&root, &own, cap(2, AtLimit::Reject));
    assert_eq!(survey.next(), Next::Done(Verdict::Admitted(vec![])));
    assert_eq!(root.entries[0], found);
    root.tidy(Timestamp::from_millis(end.as_millis() - 1));
    assert_eq!(root.entries[0].id, id(1));
    root.tidy(end);
    assert_eq!(root.entries[0].id, id(2));
    // A patch that revived it came before the look was noted.
    let again = Entry { tag: tag(7), ..entry(1, State::Announced(LATER)) };
    root.entries.push(again.clone());
    root.note(&[found]);
    assert!(root.entries.contains(&again));
}

#[test]
fn a_new_session_that_expired_or_changed_hands_is_not_under_way_any_more() {
    for (state, expected) in [
        (State::New(until()), Verdict::Admitted(vec![])),
        (State::Announced(until()), Verdict::Denied),
    ] {
        let mut root = root(&[entry(1, state)]);
        let own = joining(9, capped(1, AtLimit::Reject));
        root.reserve(&own, NOW).unwrap();
        for seen in [Seen::Expired(until()), Seen::Foreign] {
            let mut survey = Survey::new(&root, &own, cap(1, AtLimit::Reject));
            for id in looked(&mut survey) {
                survey.saw(id, seen);
            }
            assert_eq!(survey.next(), Next::Done(expected.clone()), "{state:?}, {seen:?}");
        }
    }
}

#[test]
fn what_is_over_is_forgotten_and_entries_of_one_session_become_one() {
    let over = Entry { bound: NOW, ..entry(1, State::Settled) };
    let mut pending = over.clone();
    pending.state = State::Reserved(LATER);
    let twice = Entry { tag: tag(7), order: age(9), ..entry(2, State::Confirmed(until())) };
    let mut root = root(&[over, entry(2, State::Settled), pending, twice]);
    root.tidy(NOW);
    assert_eq!(root.entries.len(), 4, "kept for a while, for clocks differ");
    root.tidy(NOW.after(MARGIN));
    let merged = Entry { tag: tag(7), order: age(9), ..entry(2, State::Settled) };
    assert_eq!(root.entries.first(), Some(&merged), "what was written last counts");
    assert_eq!(root.entries.len(), 2, "{root:?}");
    assert!(!root.is_empty());
    root.tidy(LATER.after(MARGIN));
    assert!(root.is_empty());
}

#[test]
fn a_crowded_root_gives_its_oldest_to_a_bucket() {
    let mut root = Root::default();
    for number in 0..600 {
        let state = match number % 100 {
            7 => State::Reserved(until()),
            8 => State::Announced(until()),
            _ => State::Settled,
        };
        root.entries.push(entry(1_000 - number, state));
    }
    let (before, reserved) = (root.clone(), 6);
    let (bucket, sealed) = root.seal(tag(5)).unwrap();
    assert_eq!((sealed.len(), bucket.count), (400, 400));
    assert_eq!((root.entries.len(), root.next, root.buckets.len()), (200, 1, 1));
    assert_eq!(bucket.oldest, sealed[0].order);
    let youngest = sealed.iter().map(|entry| entry.order).max().unwrap();
    let movable = root.entries.iter().filter(|it| !matches!(it.state, State::Reserved(_)));
    assert!(movable.clone().all(|entry| entry.order > youngest));
    assert_eq!(root.entries.len() - movable.count(), reserved, "they are asked for in the root");
    let order = |it: &Root| it.entries.iter().map(|it| it.id).collect::<Vec<_>>();
    let mut kept = order(&before);
    kept.retain(|id| sealed.iter().all(|entry| entry.id != *id));
    assert_eq!(order(&root), kept, "in the order of their coming");
    assert_eq!(root.seal(tag(6)), None);
}

#[test]
fn a_cap_is_decided_by_as_few_looks_as_can_be() {
    let (reject, evict) = (AtLimit::Reject, AtLimit::EvictOldest);
    let admitted = |ages: &[u64]| {
        Verdict::Admitted(ages.iter().map(|number| (age(*number), id(*number))).collect())
    };
    // The cap, how many others there may be, how many were looked at, the ages of those that are
    // live.
    for (cap, others, looks, live, expected) in [
        (cap(5, reject), 4, 0, vec![], admitted(&[])),
        (cap(5, reject), 5, 0, vec![], Verdict::Look(5)),
        (cap(5, reject), 5, 1, vec![], admitted(&[])),
        (cap(5, reject), 5, 5, vec![3, 1, 2, 5, 4], Verdict::Denied),
        (cap(5, reject), 100_000, 5, vec![1, 2, 3, 4, 5], Verdict::Denied),
        (cap(5, reject), 100_000, 500, vec![1, 2, 3], Verdict::Look(2)),
        (cap(1, evict), 0, 0, vec![], admitted(&[])),
        (cap(1, evict), 1, 0, vec![], Verdict::Look(1)),
        (cap(1, evict), 1, 1, vec![7], admitted(&[7])),
        (cap(3, evict), 5, 5, vec![5, 3, 4, 1, 2], admitted(&[1, 2, 3])),
        (cap(3, evict), 5, 5, vec![5, 3], admitted(&[])),
        (cap(1_000, evict), 100_000, 0, vec![], Verdict::Look(500)),
        (cap(1_000, evict), 100_000, 1_400, (0..1_400).collect(), Verdict::Look(99)),
    ] {
        let mut admission = Admission::new(cap, others);
        for look in 0..looks {
            let live = live.get(look).copied();
            admission.saw(id(live.unwrap_or(0)), live.map(age));
        }
        assert_eq!(admission.verdict(), expected, "{cap:?} {others} {live:?}");
    }
    let mut admission = Admission::new(cap(5, evict), 100_000);
    (0..504).for_each(|number| admission.saw(id(number), Some(age(number))));
    let Verdict::Admitted(evicted) = admission.verdict() else { panic!() };
    assert_eq!(evicted.len(), STEP, "a cap that is turned on later catches up in steps");
}

fn looked(survey: &mut Survey) -> Vec<SessionId> {
    match survey.next() {
        Next::Look(ids) => ids,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_oldest_are_looked_at_first_wherever_they_are() {
    let bucket = |number, oldest, count| Bucket {
        number,
        name: tag(number),
        count,
        oldest: age(oldest),
        until: LATER,
    };
    let entries = [30, 31, 5].map(|number| entry(number, State::Settled));
    let mut root = root(&entries);
    root.buckets = vec![bucket(1, 10, 3), bucket(2, 20, 2), bucket(3, 40, 600)];
    root.reserve(&joining(99, capped(2, AtLimit::EvictOldest)), NOW).unwrap();
    let own = joining(99, capped(2, AtLimit::EvictOldest));
    let mut survey = Survey::new(&root, &own, cap(2, AtLimit::EvictOldest));
    let mut read = Vec::new();
    while let Next::Read(bucket) = survey.next() {
        read.push(bucket.number);
        let oldest = bucket.oldest.1.as_millis();
        let entries = (0..bucket.count as u64).map(|n| entry(oldest + n, State::Settled));
        // One that the root knows by a later sign-in, and the own session.
        let again =
            [Entry { order: age(1), ..entry(31, State::Settled) }, entry(99, State::Settled)];
        survey.read(&bucket, entries.chain(again).collect());
    }
    assert_eq!(read, [1, 2, 3]);
    let ids = looked(&mut survey);
    assert_eq!(ids.len(), STEP);
    assert_eq!(ids[..8], [5, 10, 11, 12, 20, 21, 30, 31].map(id));
    for number in ids {
        survey.saw(number, Seen::Absent);
    }
    let dropped = survey.take_found();
    assert_eq!(dropped.len(), STEP + 3, "with all entries of a session");
    assert_eq!(dropped[0], (Place::Root, entry(5, State::Settled)));
    let Next::Look(rest) = survey.next() else { panic!() };
    assert_eq!(rest.len(), 3 + 3 + 2 + 600 - 1 - STEP, "its own is among them");
}

#[test]
fn a_look_at_buckets_stops_where_none_can_be_older() {
    let mut root = Root::default();
    for number in [1, 2] {
        let oldest = age(number * 1_000);
        let name = tag(number);
        root.buckets.push(Bucket { number, name, count: 900, oldest, until: LATER });
    }
    let sign_in = capped(5, AtLimit::EvictOldest);
    root.reserve(&joining(9_999, sign_in), NOW).unwrap();
    let mut survey = Survey::new(&root, &joining(9_999, sign_in), cap(5, AtLimit::EvictOldest));
    let Next::Read(first) = survey.next() else { panic!() };
    assert_eq!(first.number, 1);
    survey.read(&first, (1_000..1_900).map(|n| entry(n, State::Settled)).collect());
    for id in looked(&mut survey) {
        survey.saw(id, Seen::Live(age(1)));
    }
    for id in looked(&mut survey) {
        survey.saw(id, Seen::Live(age(1)));
    }
    let Next::Done(Verdict::Admitted(evicted)) = survey.next() else { panic!() };
    assert_eq!(evicted.len(), STEP);
}

#[test]
fn who_is_under_way_counts_and_who_came_later_counts_us() {
    let at_most = |max| capped(max, AtLimit::Reject);
    let mut root = root(&[
        entry(1, State::Settled),
        entry(2, State::Announced(until())),
        entry(3, State::Reserved(until())),
        entry(4, State::Evicted(until())),
        entry(5, State::Revoked(until())),
    ]);
    root.reserve(&joining(9, at_most(2)), NOW).unwrap();
    root.reserve(&joining(10, at_most(2)), NOW).unwrap();
    for (max, seen, expected) in [
        (2, Seen::Absent, Verdict::Denied),
        (3, Seen::Absent, Verdict::Admitted(vec![])),
        (3, Seen::Ended, Verdict::Admitted(vec![])),
        (1, Seen::Ended, Verdict::Admitted(vec![])),
        (5, Seen::Live(age(1)), Verdict::Denied),
        (3, Seen::Expired(until()), Verdict::Admitted(vec![])),
        (2, Seen::Expired(until()), Verdict::Denied),
    ] {
        let mut survey = Survey::new(&root, &joining(9, at_most(max)), cap(max, AtLimit::Reject));
        let next = loop {
            match survey.next() {
                Next::Look(ids) => ids.into_iter().for_each(|id| survey.saw(id, seen)),
                next => break next,
            }
        };
        assert_eq!(next, Next::Done(expected), "at most {max}, all seen as {seen:?}");
    }
}

/// A sign-in at one of its steps.
#[derive(Clone, Debug)]
struct Actor {
    own: Joining,
    step: Step,
    seen: Root,
    victims: Vec<(Order, SessionId)>,
    entries: Vec<Entry>,
    denied: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Reserve,
    Look,
    Write,
    TakeAway,
    End(usize),
    Confirm,
    GiveUp,
    Done,
}

#[derive(Default)]
struct World {
    root: Root,
    sessions: BTreeMap<SessionId, Order>,
}

impl World {
    fn end(&mut self, order: Order, id: SessionId) {
        if self.sessions.get(&id).is_some_and(|stored| *stored <= order) {
            self.sessions.remove(&id);
        }
    }

    /// Makes one atomic step of a sign-in.
    fn step(&mut self, actor: &mut Actor) {
        let Joining { id, tag, order, sign_in, .. } = actor.own;
        actor.step = match actor.step {
            Step::Reserve => {
                self.root.reserve(&actor.own, NOW).unwrap();
                actor.seen = self.root.clone();
                Step::Look
            }
            Step::Look => {
                let mut survey = Survey::new(&actor.seen, &actor.own, sign_in.cap.unwrap());
                loop {
                    match survey.next() {
                        Next::Read(_) => panic!("there are no buckets"),
                        Next::Look(ids) => {
                            for id in ids {
                                let stored = self.sessions.get(&id).copied();
                                survey.saw(id, stored.map_or(Seen::Absent, Seen::Live));
                            }
                        }
                        Next::Done(Verdict::Admitted(victims)) => {
                            let all = victims.iter().flat_map(|(_, id)| survey.entries_of(*id));
                            actor.entries = all.map(|(_, entry)| entry.clone()).collect();
                            actor.victims = victims;
                            break Step::Write;
                        }
                        Next::Done(_) => {
                            self.root.cancel(id, tag);
                            actor.denied = true;
                            break Step::Done;
                        }
                    }
                }
            }
            Step::Write => {
                self.sessions.insert(id, order);
                Step::TakeAway
            }
            Step::TakeAway => {
                self.root.evict(&actor.entries);
                Step::End(0)
            }
            Step::End(next) => match actor.victims.get(next) {
                Some((order, id)) => {
                    self.end(*order, *id);
                    Step::End(next + 1)
                }
                None => Step::Confirm,
            },
            Step::Confirm => {
                let standing = self.root.confirm(id, tag, NOW);
                self.root.note(&actor.entries);
                if standing == Standing::Stands { Step::Done } else { Step::GiveUp }
            }
            Step::GiveUp => {
                self.end(order, id);
                self.root.cancel(id, tag);
                Step::Done
            }
            Step::Done => Step::Done,
        };
    }
}

proptest! {
    /// Whatever the order of their steps, the remaining sessions are the same as if the sign-ins
    /// had run one after the other, in the order of their reservations.
    #[test]
    fn concurrent_sign_ins_end_as_if_one_came_after_the_other(
        max in 1_u32..5,
        evicting in any::<bool>(),
        before in 0_usize..4,
        ages in prop::collection::vec(1_u64..1_000, 2..7),
        order in prop::collection::vec(0_usize..7, 0..80),
    ) {
        let sign_in = capped(max, if evicting { AtLimit::EvictOldest } else { AtLimit::Reject });
        let mut world = World::default();
        for number in 0..(before as u64).min(max.into()) {
            world.root.entries.push(entry(2_000 + number, State::Settled));
            world.sessions.insert(id(2_000 + number), age(2_000 + number));
        }
        let mut sequential: Vec<_> = world.sessions.iter().map(|(id, order)| (*order, *id)).collect();
        let mut actors: Vec<_> = (0..).zip(&ages).map(|(number, millis)| Actor {
            own: Joining { order: age(*millis), ..joining(number, sign_in) },
            step: Step::Reserve,
            seen: Root::default(),
            victims: Vec::new(),
            entries: Vec::new(),
            denied: false,
        }).collect();
        let mut denied = Vec::new();
        let rest = (0..actors.len()).flat_map(|actor| std::iter::repeat_n(actor, 20));
        for turn in order.into_iter().chain(rest) {
            let Some(actor) = actors.get_mut(turn) else { continue };
            if actor.step == Step::Reserve {
                // The order of the reservations counts.
                sequential.sort_unstable();
                let surplus = (sequential.len() + 1).saturating_sub(max as usize);
                if surplus > 0 && !evicting {
                    denied.push(turn);
                } else {
                    sequential.drain(..surplus);
                    sequential.push((actor.own.order, actor.own.id));
                }
            }
            world.step(actor);
        }
        sequential.sort_unstable();
        let mut live: Vec<_> = world.sessions.iter().map(|(id, order)| (*order, *id)).collect();
        live.sort_unstable();
        prop_assert!(actors.iter().all(|actor| actor.step == Step::Done));
        prop_assert_eq!(&live, &sequential);
        for (number, actor) in actors.iter().enumerate() {
            prop_assert_eq!(actor.denied, denied.contains(&number));
        }
        for id in world.sessions.keys() {
            prop_assert!(world.root.entries.iter().any(|entry| entry.id == *id), "in the index");
        }
    }
}
