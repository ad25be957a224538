//! All programs up to a bound, and some nastier ones, in all orders.

use crate::explore::explore;
use crate::program::Act::{self, *};
use crate::program::Cookie::{First, None as NoCookie};
use crate::program::{
    Program, Start, Step, actions, ask, policies, sequences, surroundings, users,
};
use crate::world::Fault;

const STARTS: [Start; 3] = [Start::Nothing, Start::Anonymous, Start::SignedIn];

/// With `SESSION_PROOF=large` the bounds are those of a night.
fn is_large() -> bool {
    std::env::var("SESSION_PROOF").is_ok_and(|bound| bound == "large")
}

/// Explores all of them without a fault, or with one at each call.
fn check(name: &str, programs: &[Program], faults: &[Fault], at_least: (usize, usize)) {
    let (mut programs_run, mut orders) = (0, 0);
    let mut run = |program: &Program, fault| {
        let found = explore(program, fault).unwrap_or_else(|failure| {
            panic!("{name}, after {programs_run} programs and {orders} orders: {failure}")
        });
        programs_run += 1;
        orders += found.executions;
        found.calls
    };
    for program in programs {
        let calls = run(program, None);
        for fault in faults {
            // A fault adds calls of its own: one more attempt.
            for call in 0..calls {
                run(program, Some((call, *fault)));
            }
        }
    }
    println!("{name}: {programs_run} programs, {orders} orders");
    assert!(programs_run >= at_least.0 && orders >= at_least.1, "{name} explored too little");
}

/// One request of each client, and nothing twice where clients are alike.
fn one_request_each(start: Start, first: &[Vec<Act>], others: &[Vec<Act>]) -> Vec<Program> {
    let pair = |one: &Vec<Act>| {
        let one = one.clone();
        others
            .iter()
            .map(move |two| Program { start, clients: vec![vec![ask(&one)], vec![ask(two)]] })
    };
    first.iter().flat_map(pair).collect()
}

#[test]
fn two_clients_with_one_action_each() {
    let mut programs = Vec::new();
    for start in STARTS {
        let (ones, twos) = (sequences(&actions(0), 1), sequences(&actions(1), 1));
        programs.extend(one_request_each(start, &ones, &twos));
        for (step, one) in
            surroundings().iter().flat_map(|step| ones.iter().map(move |one| (step, one)))
        {
            programs.push(Program { start, clients: vec![vec![ask(one)], vec![step.clone()]] });
        }
    }
    check("two clients, one action each", &programs, &[], (650, 2_000));
}

#[test]
fn two_clients_with_two_actions_and_one() {
    let mut programs = Vec::new();
    let lengths = if is_large() { 2 } else { 1 };
    for start in [Start::Anonymous, Start::SignedIn] {
        let mut all = actions(0);
        all.push(Save);
        all.push(Fail);
        let others = sequences(&actions(1), lengths);
        programs.extend(one_request_each(start, &sequences(&all, 2), &others));
    }
    check("two clients, two actions and one", &programs, &[], (5_000, 20_000));
}

#[test]
fn three_clients_with_one_action_each() {
    let few = |client: usize| {
        let own = client as u32 + 2;
        vec![A(own), Add(1 << (2 * client)), Take, Renew, SignIn(client as u64), SignOut, Destroy]
    };
    let mut programs = Vec::new();
    for start in [Start::Anonymous, Start::SignedIn] {
        let all = |client| if is_large() { actions(client) } else { few(client) };
        let length = all(0).len();
        for (one, two, three) in sequences(&(0..length).collect::<Vec<_>>(), 3)
            .into_iter()
            .filter(|it| it.is_sorted())
            .map(|it| (all(0)[it[0]], all(1)[it[1]], all(2)[it[2]]))
        {
            let clients = [one, two, three].map(|act| vec![ask(&[act])]).to_vec();
            programs.push(Program { start, clients });
        }
    }
    check("three clients, one action each", &programs, &[], (160, 8_000));
}

#[test]
fn two_clients_with_two_requests_each() {
    let few = |client: usize| vec![A(client as u32 + 2), SignIn(client as u64 + 1), Destroy];
    let all = |client| if is_large() { actions(client) } else { few(client) };
    let mut programs = Vec::new();
    for start in [Start::Anonymous, Start::SignedIn] {
        for one in sequences(&all(0), 2) {
            for two in sequences(&all(1), 2) {
                let clients =
                    [&one, &two].map(|acts| acts.iter().map(|act| ask(&[*act])).collect());
                programs.push(Program { start, clients: clients.to_vec() });
            }
        }
    }
    check("two clients, two requests each", &programs, &[], (160, 4_000));
}

#[test]
fn policies_of_fields_in_all_orders() {
    let mut programs = Vec::new();
    let lengths = if is_large() { 2 } else { 1 };
    for start in STARTS {
        let (ones, twos) = (sequences(&policies(0), lengths), sequences(&policies(1), 1));
        programs.extend(one_request_each(start, &ones, &twos));
    }
    for acts in [
        [Transaction; 3],
        [Bits(1), Bits(2), Bits(4)],
        [Consume; 3],
        [Exact(1), Exact(2), A(3)],
        [Once(1), Once(2), Once(1)],
        [Transaction, A(7), Transaction],
    ] {
        let clients = acts.map(|act| vec![ask(&[act])]).to_vec();
        programs.push(Program { start: Start::Anonymous, clients });
    }
    check("policies", &programs, &[], (250, 1_500));
}

#[test]
fn changes_of_user_in_all_orders() {
    let mut programs = Vec::new();
    for start in [Start::Anonymous, Start::SignedIn] {
        let others: Vec<_> =
            [SignIn(1), SignIn(2), SignOut, A(9), Role(9), Destroy].map(|act| vec![act]).to_vec();
        let ones: Vec<_> = sequences(&users(0), 2)
            .into_iter()
            .filter(|acts| acts.iter().any(|act| matches!(act, SignIn(_) | SignOut)))
            .collect();
        programs.extend(one_request_each(start, &ones, &others));
    }
    // One client alone, with what it left in an earlier request.
    for acts in sequences(&users(0), if is_large() { 4 } else { 3 }) {
        let requests = acts.iter().map(|act| ask(&[*act])).collect();
        programs.push(Program { start: Start::SignedIn, clients: vec![requests] });
        programs.push(Program { start: Start::SignedIn, clients: vec![vec![ask(&acts)]] });
    }
    let three = |acts: [&[Act]; 3]| {
        let clients = acts.map(|acts| vec![ask(acts)]).to_vec();
        Program { start: Start::SignedIn, clients }
    };
    programs.extend([
        three([&[SignIn(2)], &[SignIn(3)], &[SignIn(1)]]),
        three([&[SignIn(2), Kept(2)], &[Kept(3)], &[SignOut]]),
        three([&[SignOut, Save, SignIn(2)], &[A(3)], &[Renew]]),
        three([&[SignIn(2), Save, SignIn(1)], &[SignIn(3), Save, SignOut], &[A(4)]]),
        three([&[SignIn(2), Save, Destroy], &[SignIn(3)], &[Role(4)]]),
    ]);
    check("changes of user", &programs, &[], (5_000, 10_000));
}

#[test]
fn requests_of_another_realm_in_all_orders() {
    let mut programs = Vec::new();
    let elsewhere = |acts: &[Act]| Step::Elsewhere(acts.to_vec());
    let few = |client: usize| vec![A(client as u32 + 2), SignIn(1), SignIn(2), SignOut, Destroy];
    for start in [Start::Anonymous, Start::SignedIn] {
        for one in few(0) {
            for two in sequences(&few(1), 2) {
                let there = two.iter().map(|act| elsewhere(&[*act])).collect();
                programs.push(Program { start, clients: vec![vec![ask(&[one])], there] });
            }
        }
        let both = vec![vec![ask(&[SignIn(1)]), elsewhere(&[SignIn(1)]), Step::RevokeAll(1)]];
        programs.push(Program { start, clients: both });
    }
    check("another realm", &programs, &[], (250, 1_000));
}

#[test]
fn nasty_programs_in_all_orders() {
    let old = |acts: &[Act]| Step::Ask(First, acts.to_vec());
    let stranger = |acts: &[Act]| Step::Ask(NoCookie, acts.to_vec());
    let all: Vec<Vec<Vec<Step>>> = vec![
        // An answer under way through a login and a logout.
        vec![vec![ask(&[A(2)])], vec![ask(&[SignIn(2)]), ask(&[Destroy])]],
        vec![vec![ask(&[A(2), Save, B(2)])], vec![ask(&[SignIn(2), B(3)]), ask(&[A(3)])]],
        vec![vec![old(&[A(2)]), old(&[B(2)])], vec![ask(&[SignIn(1)]), ask(&[SignOut])]],
        vec![vec![ask(&[SignIn(1), Save, SignOut])], vec![ask(&[SignIn(2), Save, Destroy])]],
        vec![vec![ask(&[Destroy, SignIn(2), A(2)])], vec![ask(&[A(3)]), old(&[SignIn(1)])]],
        vec![vec![ask(&[Destroy, A(2), Save, Destroy])], vec![ask(&[SignIn(1)])]],
        vec![vec![ask(&[SignIn(1)])], vec![ask(&[SignIn(1)])], vec![Step::RevokeAll(1)]],
        vec![vec![ask(&[SignIn(1)]), ask(&[A(2)])], vec![Step::RevokeAll(1), old(&[A(3)])]],
        vec![vec![ask(&[Renew]), ask(&[Renew])], vec![ask(&[Add(1)]), old(&[Add(2)])]],
        vec![vec![ask(&[A(2)])], vec![Step::Wait(30), Step::Wait(1), Step::Sweep]],
        vec![
            vec![ask(&[A(2)]), ask(&[B(2)])],
            vec![Step::Wait(29), ask(&[Add(1)]), Step::Wait(29)],
        ],
        vec![vec![ask(&[Destroy])], vec![Step::Wait(1), old(&[A(2)])], vec![ask(&[SignIn(1)])]],
        vec![vec![ask(&[Role(2), Save, A(2)])], vec![ask(&[Role(3)])], vec![ask(&[Take])]],
        vec![vec![ask(&[Take, Save, Flash(2)])], vec![ask(&[Flash(3)]), ask(&[Take])]],
        vec![vec![ask(&[Fail, SignOut, A(2)])], vec![ask(&[Fail, Destroy, B(3)])]],
        vec![vec![ask(&[Fail, SignIn(2), Save])], vec![ask(&[Plant(3)])]],
        vec![
            vec![stranger(&[SignIn(1)]), ask(&[A(2)])],
            vec![Step::RevokeAll(1), stranger(&[A(3)])],
        ],
        vec![vec![ask(&[Code(5), Save, Consume])], vec![ask(&[Consume])], vec![ask(&[SignIn(2)])]],
        vec![vec![ask(&[Consume, SignIn(2)])], vec![ask(&[Consume, A(3)])]],
        vec![vec![ask(&[A(2), Transaction, B(2)])], vec![ask(&[Transaction])], vec![ask(&[A(9)])]],
        vec![vec![ask(&[Transaction])], vec![ask(&[SignIn(2)])], vec![ask(&[Transaction])]],
        vec![vec![ask(&[Bits(1), SignIn(2)])], vec![ask(&[Bits(2)])], vec![ask(&[Exact(2)])]],
    ];
    let of = |start| all.iter().map(move |clients| Program { start, clients: clients.clone() });
    let programs: Vec<_> = of(Start::Anonymous).chain(of(Start::SignedIn)).collect();
    check("nasty programs", &programs, &[], (44, 2_000));
}

#[test]
fn an_error_or_a_lost_answer_at_every_call() {
    let few = |client: usize| {
        let own = client as u32 + 2;
        let mut acts =
            sequences(&[A(own), Add(1 << (2 * client)), SignIn(2), SignOut, Destroy, Renew], 1);
        if client == 0 {
            acts.extend(sequences(&[Take, Consume, Transaction, Bits(1), Exact(2)], 1));
            acts.extend([
                vec![SignOut, Save],
                vec![Add(1), Save, Add(2)],
                vec![SignIn(2), Save, A(2)],
                vec![SignIn(2), Kept(2), Save],
                vec![SignOut, Save, SignIn(2)],
            ]);
            acts.extend([
                vec![Destroy, Save, A(2)],
                vec![Destroy, SignIn(2)],
                vec![A(2), Transaction],
            ]);
        }
        acts
    };
    let mut programs = Vec::new();
    for start in STARTS {
        programs.extend(one_request_each(start, &few(0), &few(1)));
    }
    check("faults", &programs, &[Fault::Failed, Fault::Lost], (1_000, 5_000));
}
