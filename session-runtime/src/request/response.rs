//! Decides whether a response may be sent: what is stored before its head, and which response
//! reports a failure.

use std::sync::{Arc, MutexGuard};

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use super::{Committed, RequestSession, ToEnd};
use crate::config::{Config, SetCookie};
use crate::cookie::{apply_to, forbid_caching, guard, keep_private, vary_on};
use crate::error::{SessionError, report};
use crate::level::FRESH;
use crate::record::EndReason;
use crate::rejection::AuthenticatedRejection;
use crate::session::{Backend, CookieChange, Keep, Pending, State};
use crate::token::SessionToken;
use crate::transport::Transport;

/// What a response has to wait for.
pub(crate) enum Awaits<'r> {
    Commit(ToEnd),
    /// There is nothing to store. If the session was asked for, its state stays locked until the
    /// response is finished.
    Nothing(Option<MutexGuard<'r, State>>),
}

/// Returns what a response with this status has to wait for.
pub(crate) fn begin(session: &Arc<RequestSession>, status: StatusCode) -> Awaits<'_> {
    if !session.was_asked() {
        return Awaits::Nothing(None);
    }
    if session.scope.unpublished() > 0 {
        let request = Arc::clone(session);
        return Awaits::Commit(ToEnd::new(async move {
            request.commit(Keep::SignOutOnly).await?;
            Err(SessionError::Unpublished)
        }));
    }
    let keep = match (session.engine.config.keep_changes)(status) {
        true => Keep::Everything,
        false => Keep::SignOutOnly,
    };
    let state = session.scope.state();
    let follows = state.follows;
    // A `save()` whose future was dropped may still be in progress.
    if !follows && !state.has_work() && !state.committing {
        return Awaits::Nothing(Some(state));
    }
    drop(state);
    let request = Arc::clone(session);
    if follows {
        return Awaits::Commit(ToEnd::new(async move {
            let committed = request.commit(keep).await?;
            if matches!(committed, Committed::Stored) {
                request.follow().await;
            }
            Ok(committed)
        }));
    }
    Awaits::Commit(ToEnd::new(async move { request.commit(keep).await }))
}

/// Handles the end of a request without a response, because the client hung up or the handler
/// failed. Whatever takes privileges away is stored nevertheless.
pub(crate) fn abandoned(session: Arc<RequestSession>) {
    session.ends();
    if !session.was_asked() {
        return;
    }
    // First, so that a task's `destroy()` is noticed either there or here.
    session.scope.mark_head_sent();
    if session.has_work() {
        session.commit_later();
    }
}

/// Returns the response with its cookie, or the one that reports a failed commit. `state` is that of
/// `session`, if it is locked already.
pub(crate) fn finish<'r, B: From<&'static str>>(
    session: &'r Arc<RequestSession>,
    mut response: Response<B>,
    committed: Result<(), SessionError>,
    state: Option<MutexGuard<'r, State>>,
) -> Response<B> {
    session.ends();
    let config = &session.engine.config;
    if !session.was_asked() {
        challenge(&mut response, config, None, None);
        return response;
    }
    session.scope.mark_head_sent();
    let mut state = state.unwrap_or_else(|| session.scope.state());
    let saved = committed.is_ok();
    // Dropped last: its body may hold a handle, whose drop locks the state.
    let mut replaced = None;
    if let Err(error) = committed {
        // The response reports the failure; it need not be logged again.
        state.pending = Pending::default();
        replaced = Some(replace(&mut response, error));
    } else if state.lost && config.conflict_on_lost_changes && !session.safe_method {
        replaced = Some(replace(&mut response, SessionError::Gone));
    }
    let before = match session.is_within {
        true => response.headers().get_all(header::SET_COOKIE).iter().count(),
        false => 0,
    };
    guard(response.headers_mut(), config, &state);
    // An earlier `save()` may have needed a cookie, whatever happened since.
    let change = state.cookie.take();
    if let Some(change) = &change {
        match state.transport {
            Transport::Cookie => set_cookies(response.headers_mut(), session, &state, change),
            Transport::Bearer => send_bearer_token(response.headers_mut(), config, change),
        }
    }
    if session.is_within {
        let names = [(header::SET_COOKIE, before), (config.token_header.clone(), 0)];
        let sent = names.into_iter().flat_map(|(name, before)| {
            let own = response.headers().get_all(&name).iter().skip(before).cloned();
            own.map(|value| (name.clone(), value)).collect::<Vec<_>>()
        });
        let sent: Vec<_> = sent.collect();
        response.extensions_mut().get_or_insert_default::<SentWithin>().0.extend(sent);
    }
    if state.read {
        vary_on(config.transports.vary(state.transport), response.headers_mut());
        // A response that sets a cookie is `no-store` already.
        if change.is_none() {
            keep_private(response.headers_mut());
        }
    }
    if state.handed_out {
        forbid_caching(response.headers_mut());
    }
    let because = state.because.filter(|_| state.transport == Transport::Bearer);
    let proof = state.token.as_ref().and_then(|_| missing_proof(response.extensions()));
    challenge(&mut response, config, proof, because);
    // The session was destroyed between the commit and the head.
    let destroyed = saved && !state.destroyed.is_empty();
    drop(state);
    drop(replaced);
    if destroyed {
        Arc::clone(session).commit_later();
    }
    response
}

/// Adds the challenge to a 401, unless its handler did: it names the proof that is missing (RFC
/// 9470 §3), or why the bearer token that was presented opens nothing (RFC 6750 §3).
fn challenge<B>(
    response: &mut Response<B>,
    config: &Config,
    proof: Option<&str>,
    because: Option<EndReason>,
) {
    if response.status() != StatusCode::UNAUTHORIZED || !config.transports.accepts_bearer() {
        return;
    }
    let text = match (proof, because) {
        (Some(proof), _) => Some(format!(
            "Bearer error=\"insufficient_user_authentication\", acr_values=\"{proof}\""
        )),
        (None, Some(because)) => {
            Some(format!("Bearer error=\"invalid_token\", error_description=\"{because}\""))
        }
        (None, None) => None,
    };
    let value = text.and_then(|text| HeaderValue::try_from(text).ok());
    let value = value.unwrap_or(HeaderValue::from_static("Bearer"));
    response.headers_mut().entry(header::WWW_AUTHENTICATE).or_insert(value);
}

/// Returns the name of the proof for want of which a handler was refused.
fn missing_proof(extensions: &Extensions) -> Option<&'static str> {
    if let Some(AuthenticatedRejection::ProofRequired { proof, .. }) = extensions.get() {
        return Some(proof);
    }
    let error = extensions.get::<Arc<SessionError>>()?;
    matches!(**error, SessionError::NotFresh).then_some(FRESH)
}

fn set_cookies(
    headers: &mut HeaderMap,
    session: &RequestSession,
    state: &State,
    change: &CookieChange,
) {
    let config = &session.engine.config;
    let text = |token: &SessionToken, text: &mut String| config.write_text_of(token, text);
    let now = || session.engine.now();
    apply_to(headers, &session.engine.cookie, change, text, now);
    if state.moved {
        for former in &config.former_cookies {
            apply_to(headers, &SetCookie::of(former), &CookieChange::Remove, text, now);
        }
    }
    if let (true, Some(adopt)) = (state.legacy, &config.adopt) {
        // The old cookie is removed along with the first one that this layer sets.
        headers.append(header::SET_COOKIE, adopt.legacy.removal());
    }
}

fn send_bearer_token(headers: &mut HeaderMap, config: &Config, change: &CookieChange) {
    if let CookieChange::Set { token, .. } = change {
        let mut text = String::new();
        config.write_text_of(token, &mut text);
        // A token is base64, so this is always a valid header value.
        if let Ok(mut value) = HeaderValue::try_from(text) {
            value.set_sensitive(true);
            headers.insert(config.token_header.clone(), value);
        }
    }
    forbid_caching(headers);
}

/// The tokens and cookies that inner layers send. Their sessions are stored, so the client gets
/// them even if the response reports that this layer's session is not.
#[derive(Clone, Default)]
struct SentWithin(Vec<(HeaderName, HeaderValue)>);

/// Replaces the handler's response with one that reports a failed commit, and returns the
/// handler's.
fn replace<B: From<&'static str>>(response: &mut Response<B>, error: SessionError) -> Response<B> {
    let mut failure = failure(error);
    if let Some(inner) = response.extensions_mut().remove::<SentWithin>() {
        forbid_caching(failure.headers_mut());
        for (name, value) in &inner.0 {
            failure.headers_mut().append(name, value.clone());
        }
        failure.extensions_mut().insert(inner);
    }
    std::mem::replace(response, failure)
}

/// Sends the client a fixed text; the reason goes to the log and to outer layers.
fn failure<B: From<&'static str>>(error: SessionError) -> Response<B> {
    let (status, text) = error.status_and_text();
    report(status, &error, "a session could not be saved");
    let mut response = Response::new(B::from(text));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response.extensions_mut().insert(Arc::new(error));
    response
}
