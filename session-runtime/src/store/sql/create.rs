//! Creating a session.

use super::apply::Index;
use super::line::Line;
use super::load::lock;
use super::server::{Server, Work};
use super::sign_in::{self, Admitted};
use super::{Arg, Dialect, Fault};
use crate::record::Record;
use crate::record::form::{Base, Form};
use crate::record::patch::SignIn;
use crate::store::contract::Created;
use crate::store::engine::{self, Doubt, Failure};

pub(super) async fn create<D: Dialect>(
    server: &Server<D>,
    record: &Record,
    sign_in: SignIn,
) -> Result<Created, Failure> {
    if let Err(refused) = server.limits.check_new(&record.fields) {
        return Ok(Created::Refused(refused));
    }
    let form = engine::first(record)?;
    server.perform(&mut Create { record, sign_in, form }).await
}

struct Create<'c> {
    record: &'c Record,
    sign_in: SignIn,
    form: Form,
}

impl<D: Dialect> Work<D> for Create<'_> {
    type Answer = Created;

    async fn run(&mut self, line: &mut Line<'_, D>, doubt: Doubt) -> Result<Created, Fault> {
        let id = self.record.id.to_string();
        let base = match &self.form.base {
            Base::New(base) => Some(base.as_slice()),
            Base::Inside | Base::Kept => None,
        };
        let index = Index::of(self.record);
        let [expires, due, principal, place] = index.args();
        let form = Arg::Bytes(&self.form.value);
        let row = [Arg::Text(&id), form, Arg::MaybeBytes(base), expires, due, principal, place];
        let signs_in = self.record.meta.principal.as_ref();
        let signs_in = signs_in.filter(|_| !self.sign_in.is_unconditional());
        if signs_in.is_none() && line.write(&line.sql().insert, &row).await? > 0 {
            return Ok(Created::ALONE);
        }
        loop {
            line.begin().await?;
            if let Some(principal) = signs_in {
                sign_in::hold(line, principal).await?;
            }
            let stored = lock(line, self.record.id).await?;
            let mut now = stored.now;
            match stored.value {
                Some(value)
                    if doubt == Doubt::MaybeDone && engine::is_ours(&value, self.record) =>
                {
                    return Ok(Created::ALONE);
                }
                Some(value) if engine::is_over(&value, now) => {
                    line.run(&line.sql().delete, &[Arg::Text(&id)]).await?;
                }
                Some(_) => return Ok(Created::Exists),
                None => now = line.time().await?,
            }
            let evicted = match sign_in::admit(line, self.record, self.sign_in, now).await? {
                Admitted::After(evicted) => evicted,
                Admitted::Denied(denied) => return Ok(Created::Denied(denied)),
                Admitted::Later => {
                    line.commit().await?;
                    continue;
                }
            };
            if line.run(&line.sql().insert, &row).await?.affected > 0 {
                line.commit().await?;
                return Ok(Created::Created { evicted });
            }
            // Another request created it first: look at what is stored.
            line.roll_back().await?;
        }
    }
}
