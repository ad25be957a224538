//! A wire between a client and a server that keeps what the client said, and
//! that can be cut, or fall silent.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Forwards to one port.
#[derive(Debug)]
pub struct Proxy {
    pub port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    said: Mutex<Vec<u8>>,
    cut: AtomicBool,
    /// What is refused once a reply was cut.
    then: Mutex<Option<String>>,
    refused: Mutex<Option<String>>,
    refusals: AtomicUsize,
    /// What the request begins with whose reply breaks off.
    reply_to: Mutex<Option<&'static [u8]>>,
    /// The same for a request that nobody hears.
    unheard: Mutex<Option<&'static [u8]>>,
    swallows: AtomicBool,
    silences: AtomicBool,
}

impl Proxy {
    /// # Panics
    ///
    /// If it cannot listen.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let own = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared::default());
        let all = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { continue };
                // Or messages would wait for one another.
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let (Ok(from), Ok(to)) = (client.try_clone(), server.try_clone()) else { continue };
                let shared = all.clone();
                let listens = Arc::new(AtomicBool::new(false));
                let asked = listens.clone();
                std::thread::spawn(move || requests(from, to, &shared, &asked));
                let shared = all.clone();
                std::thread::spawn(move || replies(server, client, &shared, &listens));
            }
        });
        Self { port: own, shared }
    }

    /// The next reply breaks off after one byte, and the connection with it.
    pub fn cut_next_reply(&self) {
        self.shared.cut.store(true, Ordering::SeqCst);
    }

    /// The same, and from then on requests are refused that hold `text`.
    ///
    /// # Panics
    ///
    /// If another thread did.
    pub fn cut_next_reply_and_refuse(&self, text: &str) {
        *self.shared.then.lock().expect("no panic") = Some(text.to_owned());
        self.cut_next_reply();
    }

    /// From now on a request that holds `text` goes nowhere, and its connection
    /// breaks off; with `None`, all go through.
    ///
    /// # Panics
    ///
    /// If another thread did.
    pub fn refuse(&self, text: Option<&str>) {
        *self.shared.refused.lock().expect("no panic") = text.map(str::to_owned);
    }

    /// How many requests were refused so far.
    pub fn refusals(&self) -> usize {
        self.shared.refusals.load(Ordering::SeqCst)
    }

    /// The same as a cut for the reply to the next request that begins like this.
    ///
    /// # Panics
    ///
    /// If another thread did.
    pub fn cut_reply_to(&self, request: &'static [u8]) {
        *self.shared.reply_to.lock().expect("no panic") = Some(request);
    }

    /// The next request that begins like this is not passed on, and the connection
    /// breaks.
    ///
    /// # Panics
    ///
    /// If another thread did.
    pub fn cut_request(&self, request: &'static [u8]) {
        *self.shared.unheard.lock().expect("no panic") = Some(request);
    }

    /// Whether a cut that was asked for has not come yet.
    ///
    /// # Panics
    ///
    /// If another thread did.
    pub fn is_to_cut(&self) -> bool {
        let Shared { cut, reply_to, unheard, .. } = &*self.shared;
        let asked = [reply_to, unheard].map(|it| it.lock().expect("no panic").is_some());
        cut.load(Ordering::SeqCst) || asked.contains(&true)
    }

    /// Whether what the server says to connections that have asked to be told of
    /// changes goes nowhere, while they stay open.
    pub fn swallow(&self, swallow: bool) {
        self.shared.swallows.store(swallow, Ordering::SeqCst);
    }

    /// The same, and connections to which the server says something meanwhile stay silent for good.
    pub fn silence(&self, silence: bool) {
        self.shared.silences.store(silence, Ordering::SeqCst);
    }

    /// The commands since the last call, each with its bytes on the wire.
    ///
    /// # Panics
    ///
    /// If what was said is not the Redis protocol.
    pub fn commands(&self) -> Vec<(Vec<String>, usize)> {
        let said = std::mem::take(&mut *self.shared.said.lock().expect("no panic"));
        let mut rest = &said[..];
        let mut commands = Vec::new();
        while !rest.is_empty() {
            let before = rest.len();
            let words = (0..number(&mut rest, b'*')).map(|_| {
                let length = number(&mut rest, b'$');
                let word = String::from_utf8_lossy(&rest[..length]).into_owned();
                rest = &rest[length + 2..];
                word
            });
            let words = words.collect();
            commands.push((words, before - rest.len()));
        }
        commands
    }
}

fn number(rest: &mut &[u8], sign: u8) -> usize {
    assert_eq!(rest.first(), Some(&sign), "the Redis protocol");
    let end = rest.iter().position(|byte| *byte == b'\r').expect("a line");
    let number = std::str::from_utf8(&rest[1..end]).expect("digits").parse().expect("a number");
    *rest = &rest[end + 2..];
    number
}

fn requests(mut from: TcpStream, mut to: TcpStream, shared: &Shared, listens: &AtomicBool) {
    let mut buffer = [0; 16 << 10];
    while let Ok(bytes @ 1..) = from.read(&mut buffer) {
        let refused = shared.refused.lock().expect("no panic").clone();
        let is_refused = |text: String| {
            buffer[..bytes].windows(text.len()).any(|window| window == text.as_bytes())
        };
        if refused.is_some_and(is_refused) {
            shared.refusals.fetch_add(1, Ordering::SeqCst);
            let _ = from.shutdown(Shutdown::Both);
            break;
        }
        let asked = |what: &Mutex<Option<&'static [u8]>>| {
            let begins = |begin: &mut &[u8]| buffer[..bytes].starts_with(begin);
            what.lock().expect("no panic").take_if(begins).is_some()
        };
        if asked(&shared.unheard) {
            break;
        }
        if asked(&shared.reply_to) {
            shared.cut.store(true, Ordering::SeqCst);
        }
        let has = |word: &[u8]| buffer[..bytes].windows(word.len()).any(|it| it == word);
        if has(b"TRACKING") || has(b"LISTEN \"") {
            listens.store(true, Ordering::SeqCst);
        }
        shared.said.lock().expect("no panic").extend_from_slice(&buffer[..bytes]);
        if to.write_all(&buffer[..bytes]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

fn replies(mut from: TcpStream, mut to: TcpStream, shared: &Shared, listens: &AtomicBool) {
    let mut buffer = [0; 16 << 10];
    let mut is_silent = false;
    while let Ok(bytes @ 1..) = from.read(&mut buffer) {
        let listens = listens.load(Ordering::SeqCst);
        is_silent |= listens && shared.silences.load(Ordering::SeqCst);
        if is_silent || (listens && shared.swallows.load(Ordering::SeqCst)) {
            continue;
        }
        let cut = shared.cut.swap(false, Ordering::SeqCst);
        let bytes = if cut { 1 } else { bytes };
        if cut && let Some(text) = shared.then.lock().expect("no panic").take() {
            *shared.refused.lock().expect("no panic") = Some(text);
        }
        if to.write_all(&buffer[..bytes]).is_err() || cut {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
