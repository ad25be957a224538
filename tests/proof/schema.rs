//! The session that the programs work on, and the service around it. Every
//! value is a small number, so that the plain model is a map of numbers.

use std::collections::BTreeMap;
use std::convert::Infallible;

use axum::response::IntoResponse;
use http::{Request, Response, StatusCode};
use session_runtime::__private::record::Record;
use session_runtime::{Session, SessionError, SessionSchema, session_of};

use crate::program::Act;

#[derive(SessionSchema)]
pub(crate) struct Shop {
    #[session(principal)]
    pub(crate) user: Option<u64>,
    pub(crate) a: u32,
    pub(crate) b: u32,
    #[session(counter)]
    pub(crate) n: i64,
    #[session(flash)]
    pub(crate) flash: Option<u32>,
    #[session(renew)]
    pub(crate) role: Option<u32>,
    #[session(clear_on_login)]
    pub(crate) plant: Option<u32>,
    #[session(nonce)]
    pub(crate) code: Option<u32>,
    #[session(merge = union)]
    pub(crate) bits: u32,
    #[session(compare)]
    pub(crate) exact: u32,
    #[session(write_once)]
    pub(crate) once: Option<u32>,
    #[session(carry_over)]
    pub(crate) kept: Option<u32>,
}

/// Of two sets of bits what both added, without what either removed.
#[allow(clippy::trivially_copy_pass_by_ref)] // as the derive wants it
pub(crate) fn union(base: &u32, stored: &u32, mine: u32) -> u32 {
    (stored | (mine & !base)) & !(base & !mine)
}

/// Stored name → number.
pub(crate) type Values = BTreeMap<&'static str, i64>;

pub(crate) const NAMES: [&str; 12] =
    ["user", "a", "b", "n", "flash", "role", "plant", "code", "bits", "exact", "once", "kept"];

/// What is stored, as numbers; anything else is itself a finding.
pub(crate) fn values_of(record: &Record) -> Result<Values, String> {
    let number = |(name, json): (&str, &[u8])| {
        let known = NAMES.into_iter().find(|known| *known == name);
        let number = std::str::from_utf8(json).ok().and_then(|text| text.parse().ok());
        known.zip(number).ok_or_else(|| format!("stored under `{name}`: {json:?}"))
    };
    record.fields.iter().map(number).collect()
}

/// What a handle shows of what is stored, but for what only taking shows.
pub(crate) fn shown(session: &Session<Shop>) -> Values {
    let optional = [
        ("user", session.user().map(|user| user as i64)),
        ("role", session.role().map(i64::from)),
        ("plant", session.plant().map(i64::from)),
        ("once", session.once().map(i64::from)),
        ("kept", session.kept().map(i64::from)),
        // Their defaults are zero, which no program sets.
        ("a", Some(i64::from(session.a()))),
        ("b", Some(i64::from(session.b()))),
        ("n", Some(session.n())),
        ("bits", Some(i64::from(session.bits()))),
        ("exact", Some(i64::from(session.exact()))),
    ];
    optional.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// What follows along with a request, and is told what its handler does.
pub(crate) trait Witness: Clone + Send + Sync + 'static {
    /// The handler has its session.
    fn opened(&self, shown: Values);
    /// It is about to do this.
    fn acts(&self, act: Act);
    /// Doing it gave this: what was taken, or the status of what went wrong.
    fn acted(&self, act: Act, result: Result<Option<u32>, StatusCode>, shown: Values);
    /// The handler answers this.
    fn answers(&self, status: StatusCode);
}

/// What a request is to do.
#[derive(Clone)]
pub(crate) struct Job<W> {
    pub(crate) acts: Vec<Act>,
    pub(crate) witness: W,
}

pub(crate) async fn handle<W: Witness>(
    request: Request<()>,
) -> Result<Response<String>, Infallible> {
    let (parts, ()) = request.into_parts();
    let job = parts.extensions.get::<Job<W>>().expect("every request has a job").clone();
    let status = match session_of::<Shop>(&parts.extensions, &parts.headers).await {
        Err(rejection) => rejection.into_response().status(),
        Ok(mut session) => {
            job.witness.opened(shown(&session));
            let mut status = StatusCode::OK;
            for act in job.acts {
                job.witness.acts(act);
                let result =
                    perform(&mut session, act).await.map_err(|error| error.status_and_text().0);
                job.witness.acted(act, result, shown(&session));
                if act == Act::Fail {
                    status = StatusCode::INTERNAL_SERVER_ERROR;
                }
                if let Err(failed) = result {
                    status = failed;
                    break;
                }
            }
            status
        }
    };
    job.witness.answers(status);
    let mut response = Response::new(String::new());
    *response.status_mut() = status;
    Ok(response)
}

async fn perform(session: &mut Session<Shop>, act: Act) -> Result<Option<u32>, SessionError> {
    match act {
        Act::Read | Act::Fail => {}
        Act::Pause => tokio::task::yield_now().await,
        Act::A(value) => session.set_a(value),
        Act::B(value) => session.set_b(value),
        Act::Add(delta) => session.add_n(delta),
        Act::Flash(value) => session.set_flash(value),
        Act::Take => return Ok(session.take_flash()),
        Act::Role(value) => session.set_role(value),
        Act::Plant(value) => session.set_plant(value),
        Act::Save => session.save().await?,
        Act::Renew => session.regenerate(),
        Act::SignIn(user) => session.set_user(user),
        Act::SignOut => session.clear_user(),
        Act::Destroy => session.destroy(),
        Act::Code(value) => session.set_code(value),
        Act::Consume => return session.consume_code().await,
        Act::Bits(value) => session.set_bits(session.bits() | value),
        Act::Exact(value) => session.set_exact(value),
        Act::Once(value) => session.set_once(value),
        Act::Kept(value) => session.set_kept(value),
        Act::Transaction => {
            session.transaction(|session| session.set_a(session.a() + 1)).await?;
        }
    }
    Ok(None)
}
