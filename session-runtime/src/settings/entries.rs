//! The entries of a configuration.

use std::num::NonZeroU32;

use http::{HeaderName, HeaderValue};

use super::SessionConfig;
use super::node::Node;
use super::reader::Section;
use super::secrets::Reference;
use super::values;
use crate::config::{
    Config, CookieConfig, CookiePrefix, OnReplay, Policy, Realms, SameSite, SiteData, header_named,
};
use crate::keys::Keys;
use crate::record::patch::{AtLimit, Cap};
use crate::store::{ConnectOptions, Limits};
use crate::transport::Transports;

/// Reads the settings in `node`, with all problems in them.
pub(super) fn read(node: Node) -> SessionConfig {
    let mut root = Section::root(node);
    let store = root.text("store").map(Reference::from);
    let prefix = root.text("prefix");
    let mut errors = Vec::new();
    let limits = limits(root.section("limits", "limits."), &mut errors);
    let options = ConnectOptions { limits, prefix };
    let cookie = cookie(root.section("cookie", "cookie."), &mut errors);
    let keys: Vec<_> = root.list("keys").into_iter().map(Reference::from).collect();
    if !cfg!(feature = "keys") && !keys.is_empty() {
        root.wrong("keys", "needs the cargo feature `keys` of session-runtime");
    }
    let default = Config::default();
    let cap = cap(&mut root);
    // No `..default`: a new setting must be considered here to compile.
    let config = Config {
        realms: realms(&mut root),
        policy: Policy { cap, ..policy(&mut root) },
        cookie,
        transports: transports(&mut root),
        token_header: header(&mut root, "token_header").unwrap_or(default.token_header),
        // Each has its own set of attributes: set on the layer.
        former_cookies: default.former_cookies,
        insecure: root.flag("insecure_for_development").unwrap_or(default.insecure),
        renew_after: root.limit("renew_after").unwrap_or(default.renew_after),
        late_grace: root.duration("late_grace").unwrap_or(default.late_grace),
        on_replay: on_replay(&mut root),
        // A function: set on the layer.
        listener: default.listener,
        conflict_timeout: root.duration("conflict_timeout").unwrap_or(default.conflict_timeout),
        excluded: root.list("exclude").into_iter().map(String::into_boxed_str).collect(),
        passive: root.list("passive").into_iter().map(String::into_boxed_str).collect(),
        passive_header: header(&mut root, "passive_header"),
        watch_interval: root.duration("watch_interval").unwrap_or(default.watch_interval),
        store_timeout: root.duration("store_timeout").unwrap_or(default.store_timeout),
        // A function: set on the layer.
        keep_changes: default.keep_changes,
        conflict_on_lost_changes: root
            .flag("conflict_on_lost_changes")
            .unwrap_or(default.conflict_on_lost_changes),
        login: match root.text("login_redirect") {
            Some(page) => default.login.everywhere(page),
            None => default.login,
        },
        no_store_when_signed_in: root
            .flag("no_store_when_signed_in")
            .unwrap_or(default.no_store_when_signed_in),
        clear_site_data: site_data(&mut root),
        keys: switches(&mut root),
        // A trait object: set on the layer.
        adopt: default.adopt,
        error: None,
    };
    // The keys are resolved, and their settings checked, when the layer is built.
    let without_keys = Config { keys: Keys::default(), ..config.clone() };
    if let Err(error) = without_keys.check() {
        // `None` in code is `"none"` in a configuration.
        let (entry, problem) = error.in_parts();
        root.wrong(entry, problem.replace("`None`", "`\"none\"`"));
    }
    errors.splice(0..0, root.finish(|_| None));
    SessionConfig { store, options, config, keys, faults: errors }
}

fn policy(root: &mut Section) -> Policy {
    let default = Config::default().policy;
    // As in code, the later setting would replace the earlier: here there is no order.
    let rolling = root.duration("rolling");
    for entry in ["idle_timeout", "absolute_timeout"] {
        if rolling.is_some() && root.has(entry) {
            root.wrong(entry, "is set by `rolling`: leave one of them out");
        }
    }
    let max_remember = root.duration("max_remember").unwrap_or(default.max_remember);
    let idle = root.limit("idle_timeout").unwrap_or(default.idle);
    let absolute = root.limit("absolute_timeout").unwrap_or(default.absolute);
    let policy = Policy { idle, absolute, max_remember, ..default };
    rolling.map_or(policy, |after| policy.rolling(after))
}

fn limits(mut section: Section, errors: &mut Vec<String>) -> Option<Limits> {
    let expected = "a size: write `\"256 KiB\"`, `\"1 MiB\"` or a number of bytes";
    let field = section.value("field", expected, values::size);
    let record = section.value("record", expected, values::size);
    errors.extend(section.finish(|_| None));
    let Limits { field: default_field, record: default_record } = Limits::default();
    (field.is_some() || record.is_some()).then(|| Limits {
        field: field.unwrap_or(default_field),
        record: record.unwrap_or(default_record),
    })
}

fn cookie(mut section: Section, errors: &mut Vec<String>) -> CookieConfig {
    let mut builder = CookieConfig::builder();
    if let Some(name) = section.text("name") {
        builder = builder.name(name);
    }
    let prefix = section.value("prefix", "`host`, `secure` or `none`", |text| match text {
        "host" | "__host-" => Some(CookiePrefix::Host),
        "secure" | "__secure-" => Some(CookiePrefix::Secure),
        "none" => Some(CookiePrefix::None),
        _ => None,
    });
    if let Some(prefix) = prefix {
        builder = builder.prefix(prefix);
    }
    if let Some(path) = section.text("path") {
        builder = builder.path(path);
    }
    if let Some(domain) = section.text("domain") {
        builder = builder.domain(domain);
    }
    let same_site = section.value("same_site", "`strict`, `lax` or `none`", |text| match text {
        "strict" => Some(SameSite::Strict),
        "lax" => Some(SameSite::Lax),
        "none" => Some(SameSite::None),
        _ => None,
    });
    if let Some(same_site) = same_site {
        builder = builder.same_site(same_site);
    }
    if let Some(partitioned) = section.flag("partitioned") {
        builder = builder.partitioned(partitioned);
    }
    let built = builder.build();
    let wrong = section.finish(|name| match name {
        "secure" => Some(
            "is always on; `insecure_for_development: true`, outside of `cookie`, is for plain http",
        ),
        "http_only" | "httponly" => Some("is always on; leave it out"),
        "max_age" => Some("comes with `remember` in the handler; leave it out"),
        _ => None,
    });
    let fine = wrong.is_empty();
    errors.extend(wrong);
    match built {
        Ok(cookie) => cookie,
        Err(error) => {
            // A problem that is already reported may be the cause.
            if fine {
                let (entry, problem) = error.in_parts();
                errors.push(format!("{entry}: {problem}"));
            }
            CookieConfig::default()
        }
    }
}

fn realms(root: &mut Section) -> Realms {
    let mut realms = Realms::default();
    let own = root.text("realm").map_or(Ok(()), |name| realms.name(&name));
    let mut former = root.list("accept_realm").into_iter();
    let former = former.try_for_each(|name| realms.accept(&name));
    for error in [own, former].into_iter().filter_map(Result::err) {
        let (entry, problem) = error.in_parts();
        root.wrong(entry, problem);
    }
    realms
}

fn on_replay(root: &mut Section) -> OnReplay {
    let expected = "`report`, `end_session` or `end_all_of_principal`";
    let reaction = root.value("on_replay", expected, |text| match text {
        "report" => Some(OnReplay::Report),
        "end_session" | "end-session" => Some(OnReplay::EndSession),
        "end_all_of_principal" | "end-all-of-principal" => Some(OnReplay::EndAllOfPrincipal),
        _ => None,
    });
    reaction.unwrap_or_default()
}

fn transports(root: &mut Section) -> Transports {
    let accepted = root.value("transports", "`cookie`, `bearer` or `both`", |text| match text {
        "cookie" => Some(Transports::Cookie),
        "bearer" => Some(Transports::Bearer),
        "both" => Some(Transports::Both),
        _ => None,
    });
    accepted.unwrap_or_default()
}

fn header(root: &mut Section, entry: &'static str) -> Option<HeaderName> {
    let name = root.text(entry)?;
    match header_named(entry, &name) {
        Ok(name) => Some(name),
        Err(error) => {
            let (entry, problem) = error.in_parts();
            root.wrong(entry, problem);
            None
        }
    }
}

fn site_data(root: &mut Section) -> Option<HeaderValue> {
    let mut all = Vec::new();
    for name in root.list("clear_site_data") {
        match name.to_ascii_lowercase().as_str() {
            "cache" => all.push(SiteData::Cache),
            "storage" => all.push(SiteData::Storage),
            "cookies" => all.push(SiteData::Cookies),
            "execution_contexts" | "executioncontexts" => all.push(SiteData::ExecutionContexts),
            _ => root.wrong(
                "clear_site_data",
                "is not a list of `cache`, `storage`, `cookies` and `execution_contexts`",
            ),
        }
    }
    SiteData::header(all)
}

fn cap(root: &mut Section) -> Option<Cap> {
    // An invalid entry is reported as invalid, not as missing.
    let [max_is_there, at_limit_is_there] = ["max_sessions", "at_limit"].map(|it| root.has(it));
    let max = root.value("max_sessions", "a number: write at least 1, or leave it out", |text| {
        text.parse::<NonZeroU32>().ok()
    });
    let at_limit = root.value("at_limit", "`reject` or `evict_oldest`", |text| match text {
        "reject" => Some(AtLimit::Reject),
        "evict_oldest" | "evict-oldest" => Some(AtLimit::EvictOldest),
        _ => None,
    });
    match (max, at_limit) {
        (Some(max), Some(at_limit)) => Some(Cap { max, at_limit }),
        (Some(_), None) if !at_limit_is_there => {
            root.wrong("at_limit", "goes with `max_sessions`: write `reject` or `evict_oldest`");
            None
        }
        (None, Some(_)) if !max_is_there => {
            root.wrong("max_sessions", "goes with `at_limit`: write how many, at least 1");
            None
        }
        _ => None,
    }
}

#[cfg(feature = "keys")]
fn switches(root: &mut Section) -> Keys {
    Keys {
        ring: None,
        accept_plain_fields: root.flag("accept_plain_secrets").unwrap_or_default(),
        sign_tokens: root.flag("sign_tokens").unwrap_or_default(),
        accept_unsigned_tokens: root.flag("accept_unsigned_tokens").unwrap_or_default(),
    }
}

#[cfg(not(feature = "keys"))]
fn switches(root: &mut Section) -> Keys {
    for entry in ["accept_plain_secrets", "sign_tokens", "accept_unsigned_tokens"] {
        if root.flag(entry) == Some(true) {
            root.wrong(entry, "needs the cargo feature `keys` of session-runtime");
        }
    }
    Keys::default()
}
