//! Chooses the kind of plan.

use std::borrow::Cow;

use super::create::Beginning;
use super::parts::signs_in;
use super::situation::{Keep, Mint, Plan, Situation};
use super::{apply, create};
use crate::error::SessionError;
use crate::session::op::PendingOp;
use crate::session::scope::{Origin, Why};

pub(crate) fn plan(situation: &Situation<'_>, mint: Mint<'_>) -> Result<Plan, SessionError> {
    let pending = &situation.pending.ops;
    // A failed response must not bring a privilege back.
    let ops: Cow<'_, [PendingOp]> = match situation.keep {
        Keep::Everything => Cow::Borrowed(pending),
        Keep::SignOutOnly => pending.iter().filter(|op| op.takes_privileges()).cloned().collect(),
    };
    match situation.origin {
        Origin::Unloaded | Origin::Nobody => {
            create::create(situation, &ops, Beginning::Nothing, mint)
        }
        // A late response must not undo a sign-in or sign-out; a new sign-in may.
        Origin::SignInOnly { .. } if signs_in(situation, &ops) => {
            create::create(situation, &ops, Beginning::Nothing, mint)
        }
        Origin::SignInOnly { why, .. } => {
            let proves = situation.keep.everything() && situation.pending.authenticated;
            let explicit =
                *why != Why::EndedBefore && (proves || ops.iter().any(|op| op.is_explicit()));
            Ok(if proves || !ops.is_empty() { Plan::Lost { explicit } } else { Plan::Nothing })
        }
        Origin::Stored(record) => apply::apply(situation, &ops, record, mint),
    }
}
