//! What a handler must see, and what a client must get.

use super::{Verdict, World};
use crate::program::Act;
use crate::run::{Change, Need, Origin, Run, SetCookie, Token, Within};
use crate::schema::Values;

impl World {
    fn jar(&mut self, client: usize, realm: usize) -> &mut Option<(String, Token)> {
        let jars = if realm == 0 { &mut self.jars } else { &mut self.others };
        &mut jars[client]
    }

    pub(super) fn keeps(&mut self, client: usize) -> Result<bool, String> {
        let answered = self.run(client)?.answered;
        Ok(answered.is_none_or(|status| status < 500 && status != 408))
    }

    pub(crate) fn opened(&mut self, client: usize, shown: &Values) -> Verdict {
        self.shows(client, shown)
    }

    fn shows(&mut self, client: usize, shown: &Values) -> Verdict {
        let view = self.run(client)?.view();
        // A zero is the default of those that have one.
        let visible = |(name, value): &(&&'static str, &i64)| {
            !["flash", "code"].contains(*name) && **value != 0
        };
        let (mut must, mut does) = (view.iter().filter(visible), shown.iter().filter(visible));
        if must.by_ref().eq(does.by_ref()) {
            return Ok(());
        }
        Err(format!("the handler sees {shown:?}, must see {view:?}"))
    }

    pub(crate) fn acted(
        &mut self,
        client: usize,
        act: Act,
        result: Result<Option<u32>, u16>,
        shown: &Values,
    ) -> Verdict {
        let flash = self.run(client)?.view().get("flash").map(|value| *value as u32);
        if act == Act::Take {
            self.run(client)?.act(act);
        }
        let run = self.run(client)?;
        let expected = match (act, run.within) {
            // What a handle set itself it takes back without the store.
            (Act::Take, _) => Ok(flash),
            (_, Within::Consume(known)) => known.ok_or("consumed without asking the store")?,
            (_, Within::Nothing) => Ok(None),
            (_, _) => run.segment()?.map(|()| None),
        };
        if matches!(run.within, Within::Consume(_) | Within::Save | Within::Before)
            || matches!(run.within, Within::Transaction { .. })
        {
            run.within = Within::Nothing;
        }
        if result != expected {
            return Err(format!("{act:?} gives {result:?}, must give {expected:?}"));
        }
        if let (Act::Consume, Ok(Some(code))) = (act, result)
            && !self.consumed.insert(code)
        {
            return Err(format!("code {code} is handed out twice"));
        }
        if result.is_ok() { self.shows(client, shown) } else { Ok(()) }
    }

    /// The response leaves.
    pub(crate) fn responds(&mut self, client: usize, status: u16, cookies: &[String]) -> Verdict {
        let keep = self.keeps(client)?;
        let run = self.runs[client].take().ok_or("an answer to no request")?;
        let answered = run.answered.ok_or("an answer that no handler gave")?;
        let mut lost = run.lost;
        let expected = match run.error {
            Some(error) => error,
            None => match run.need(keep) {
                Need::Nothing if lost => 409,
                Need::Nothing => answered,
                Need::Forbidden => 409,
                Need::Lost { explicit } => {
                    lost |= explicit;
                    if lost { 409 } else { answered }
                }
                undone => return Err(format!("answered {status}; still to do: {undone:?}")),
            },
        };
        if status != expected {
            return Err(format!("answered {status}, must be {expected}"));
        }
        let set = match cookies {
            [] => None,
            [one] => Some(one.split(';').next().unwrap_or("").split('=').next_back().unwrap_or("")),
            many => return Err(format!("several cookies: {many:?}")),
        };
        match (run.cookie, set) {
            (None, None) => {}
            (Some(SetCookie::Remove), Some("")) => *self.jar(client, run.realm) = None,
            (Some(SetCookie::Token(token)), Some(text)) if !text.is_empty() => {
                self.handed.push((text.to_owned(), token));
                *self.jar(client, run.realm) = Some((text.to_owned(), token));
            }
            (must, does) => return Err(format!("cookie {does:?}, must be {must:?}")),
        }
        Ok(())
    }
}

impl Run {
    pub(crate) fn begin_transaction(&mut self, rev: u64) {
        self.within = Within::Transaction { rev };
        let next = self.seen.get("a").copied().unwrap_or(0) + 1;
        self.pending = [("a", Change::Set(next))].into();
    }

    /// A `save()` (or what stands for one) has come to its end.
    pub(crate) fn segment(&mut self) -> Result<Result<(), u16>, String> {
        if let Some(error) = self.error.take() {
            if !std::mem::take(&mut self.retained) {
                self.forget();
            }
            return Ok(Err(error));
        }
        if std::mem::take(&mut self.gone) {
            self.lost = false;
            return Ok(Err(409));
        }
        match self.need(true) {
            // A transaction where no session may be.
            Need::Nothing if self.within == Within::Before => match self.origin {
                Origin::Retired { .. } => Ok(Err(409)),
                _ => Err("a transaction that did nothing".to_owned()),
            },
            Need::Nothing => {
                self.forget();
                Ok(Ok(()))
            }
            Need::Lost { .. } | Need::Forbidden => {
                self.forget();
                Ok(Err(409))
            }
            undone => Err(format!("saved; still to do: {undone:?}")),
        }
    }
}
