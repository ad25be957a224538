//! Command-line options. Arguments take precedence over environment variables.

/// The shop's settings.
#[derive(Debug)]
pub(crate) struct Options {
    /// The port on 127.0.0.1.
    pub(crate) port: u16,
    /// The store's URL, for [`AnyStore::connect`](session_runtime::store::AnyStore::connect).
    pub(crate) store: String,
    /// Whether to keep `__Host-` and `Secure` on plain http.
    pub(crate) strict_cookie: bool,
}

/// What `--help` prints.
pub(crate) const HELP: &str = "\
A small shop that shows what typed sessions do.

Usage: shop [--port 3000] [--store sqlite:shop-sessions.db] [--strict-cookie]

  --port PORT      where to listen on 127.0.0.1            (or PORT=…)
  --store URL      memory: or sqlite:path/to/file.db       (or STORE=…)
  --strict-cookie  keep `__Host-` and `Secure`, which some
                   browsers refuse on plain http           (or STRICT_COOKIE=1)
";

/// What the arguments request.
pub(crate) enum Asked {
    Serve(Options),
    Help,
}

impl Options {
    /// Reads the arguments and environment variables, or returns what is wrong with them.
    pub(crate) fn read() -> Result<Asked, String> {
        let env = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let mut port = env("PORT");
        let mut store = env("STORE");
        let mut strict_cookie = env("STRICT_COOKIE").is_some_and(|value| value != "0");

        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let (name, inline) = match arg.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (arg.as_str(), None),
            };
            let mut value = || inline.clone().or_else(|| args.next());
            match name {
                "--port" => port = Some(value().ok_or("`--port` needs a number: `--port 3000`")?),
                "--store" => {
                    store = Some(value().ok_or("`--store` needs a URL: `--store memory:`")?);
                }
                "--strict-cookie" => strict_cookie = true,
                "--help" | "-h" => return Ok(Asked::Help),
                _ => {
                    return Err(format!(
                        "there is no option `{arg}`; `shop --help` lists the options"
                    ));
                }
            }
        }
        let port = port.unwrap_or_else(|| "3000".to_owned());
        let port = port.parse().map_err(|_| {
            format!("`{port}` is not a port: write a number up to 65535, such as `--port 3000`")
        })?;
        let store = store.unwrap_or_else(|| "sqlite:shop-sessions.db".to_owned());
        Ok(Asked::Serve(Self { port, store, strict_cookie }))
    }
}
