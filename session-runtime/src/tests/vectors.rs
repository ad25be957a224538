//! The vectors of Project Wycheproof, those that are wrong on purpose included.

use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use wycheproof::{TestResult, aead, hkdf as derivation, mac};

/// How many were right, and how many wrong.
#[derive(Default)]
struct Seen {
    right: usize,
    wrong: usize,
}

impl Seen {
    fn count(&mut self, result: TestResult) -> bool {
        let must_fail = result.must_fail();
        *(if must_fail { &mut self.wrong } else { &mut self.right }) += 1;
        must_fail
    }
}

#[test]
fn the_cipher_of_secret_fields() {
    let set = aead::TestSet::load(aead::TestName::XChaCha20Poly1305).unwrap();
    let mut seen = Seen::default();
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let must_fail = seen.count(test.result);
        let Ok(nonce) = <[u8; 24]>::try_from(&test.nonce[..]) else {
            assert!(must_fail, "{}: a nonce of another length", test.tc_id);
            continue;
        };
        let cipher = XChaCha20Poly1305::new_from_slice(&test.key).unwrap();
        let sealed = [&test.ct[..], &test.tag].concat();
        let payload = Payload { msg: &sealed, aad: &test.aad };
        let opened = cipher.decrypt(&nonce.into(), payload).ok();
        let expected = (!must_fail).then(|| test.pt.to_vec());
        assert_eq!(opened, expected, "{}: {}", test.tc_id, test.comment);
        if !must_fail {
            let payload = Payload { msg: &test.pt, aad: &test.aad };
            assert_eq!(cipher.encrypt(&nonce.into(), payload).unwrap(), sealed, "{}", test.tc_id);
        }
    }
    assert!(seen.right > 100 && seen.wrong > 20, "{} {}", seen.right, seen.wrong);
}

#[test]
fn the_code_of_tokens_and_of_signatures() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    let mut seen = Seen::default();
    for group in &set.test_groups {
        for test in &group.tests {
            let must_fail = seen.count(test.result);
            let code = Hmac::<Sha256>::new_from_slice(&test.key).unwrap().chain_update(&*test.msg);
            let verified = code.verify_truncated_left(&test.tag).is_ok();
            assert_eq!(verified, !must_fail, "{}: {}", test.tc_id, test.comment);
            // Ours takes keys of at most one block.
            if test.key.len() <= 64 {
                let (front, back) = test.msg.split_at(test.msg.len() / 3);
                let ours = crate::hmac::hmac(&test.key, &[front, back]);
                let same = ours[..group.tag_size / 8] == test.tag[..];
                assert_eq!(same, !must_fail, "{}: {}", test.tc_id, test.comment);
            }
        }
    }
    assert!(seen.right > 50 && seen.wrong > 50, "{} {}", seen.right, seen.wrong);
}

#[test]
fn the_derivation_of_keys() {
    let set = derivation::TestSet::load(derivation::TestName::HkdfSha256).unwrap();
    let mut seen = Seen::default();
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let must_fail = seen.count(test.result);
        let mut key = vec![0; test.size];
        let master = Hkdf::<Sha256>::new(Some(&test.salt), &test.ikm);
        let derived = master.expand(&test.info, &mut key).is_ok();
        assert_eq!(derived, !must_fail, "{}: {}", test.tc_id, test.comment);
        if derived {
            assert_eq!(key, test.okm[..], "{}: {}", test.tc_id, test.comment);
        }
    }
    assert!(seen.right > 50 && seen.wrong > 0, "{} {}", seen.right, seen.wrong);
}
