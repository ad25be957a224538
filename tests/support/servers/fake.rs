//! Something that listens where a server should be.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};

/// Answers whatever it is sent with the same words. Ends with the program.
#[derive(Debug)]
pub struct Fake {
    pub port: u16,
}

impl Fake {
    /// # Panics
    ///
    /// If it cannot listen.
    pub fn that_says(words: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        std::thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    while let Ok(1..) = client.read(&mut [0; 16 << 10]) {
                        if client.write_all(words.as_bytes()).is_err() {
                            break;
                        }
                    }
                });
            }
        });
        Self { port }
    }
}
