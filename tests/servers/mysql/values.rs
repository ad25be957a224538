//! Bytes come back as they were written, and are compared as bytes.

use session_runtime::__private::patch::{FieldOp, Op, Outcome, Patch, SignIn};
use session_runtime::__private::record::Principal;
use session_runtime::store::{Limits, MySqlStore, SessionStore, StoreErrorKind, contract::Created};
use session_tests::servers::MariaDb;
use sqlx::{Connection as _, MySqlConnection, Row as _};

use super::server::{MISSING, found, fresh, record, run, stored};

#[tokio::test]
async fn field_bytes_and_names_come_back_exactly() {
    let tables = fresh().await;
    let store = tables.store().await;
    let large = vec![b'x'; 200 << 10];
    let long_name = "n".repeat(4_000);
    let fields: [(&str, &[u8]); 12] = [
        ("a", b"1e3 "),
        ("A", b"1.0"),
        ("a ", b" {\"b\":1,\"a\":2}  "),
        ("\u{e4}", "\"\u{1f980} \u{0}\"".as_bytes()),
        ("\u{1f980}", b"\xff\x00\xfe"),
        ("nul\0nul", b"\0\0"),
        ("quote'\"\\", b"'; DROP TABLE session; -- \\"),
        ("empty", b""),
        ("", b"no name"),
        ("trailing\t", b"\t\r\n"),
        ("large", &large),
        (&long_name, b"\"long\""),
    ];
    let record = stored(&store, &fields).await;
    assert_eq!(found(&store, &record).await.fields, record.fields);
    // Through patches, over what is there and as new fields.
    let turned = fields.iter().rev().map(|(_, value)| *value);
    let ops = fields
        .iter()
        .zip(turned)
        .map(|((name, _), value)| FieldOp::new((*name).to_owned(), Op::set(value.to_vec())));
    let other = stored(&store, &[("a", b"0")]).await;
    for id in [record.id, other.id] {
        let outcome = store.apply(id, 1, &Patch::of(ops.clone().collect()), None).await.unwrap();
        assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    }
    for record in [record, other] {
        let found = found(&store, &record).await;
        assert_eq!(found.fields.len(), fields.len());
        for ((name, _), (_, value)) in fields.iter().zip(fields.iter().rev()) {
            assert_eq!(found.fields.get(name), Some(*value), "{name:?}");
        }
    }
}

#[tokio::test]
async fn principals_that_a_collation_takes_for_one_are_several() {
    let tables = fresh().await;
    let store = tables.store().await;
    let long = "y".repeat(5_000);
    let names = ["\"a\"", "\"A\"", "\"a\" ", "\"\u{e4}\"", long.as_str(), &long[1..]];
    let mut all = Vec::new();
    for name in names {
        let mut record = record(&[]);
        record.meta.principal = Some(Principal::new("", name));
        assert_eq!(
            store.create(record.clone().into(), SignIn::default()).await.unwrap(),
            Created::ALONE
        );
        all.push(record);
    }
    for record in all {
        let principal = record.meta.principal.clone().unwrap();
        let listed: Vec<_> = store
            .list(&principal, None, 1_000)
            .await
            .unwrap()
            .records
            .iter()
            .map(|it| it.id)
            .collect();
        assert_eq!(listed, [record.id]);
        assert_eq!(found(&store, &record).await.meta.principal, Some(principal));
    }
}

#[tokio::test]
async fn a_session_can_be_read_with_the_client() {
    let tables = fresh().await;
    let store = tables.store().await;
    let record = stored(&store, &[("cart", "[\"Käse \u{1f980}\"]".as_bytes())]).await;
    let mut db = tables.db().await;
    let sql =
        format!("SELECT kind, form FROM {}session_view WHERE id = '{}'", tables.prefix, record.id);
    let rows = run(&mut db, &sql).await;
    let (kind, form): (String, String) = (rows[0].get(0), rows[0].get(1));
    assert_eq!(kind, "session");
    assert!(form.contains("cart") && form.ends_with("[\"Käse \u{1f980}\"]"), "{form}");
}

#[tokio::test]
async fn what_no_packet_of_the_server_takes_is_full_and_nothing_is_lost() {
    let settings = vec!["--max-allowed-packet=2M".to_owned()];
    let server = MariaDb::start_under(Vec::new(), settings);
    let Some(server) = server else { panic!("{MISSING}") };
    let mut db = MySqlConnection::connect(&server.url("")).await.unwrap();
    run(&mut db, "CREATE DATABASE app").await;
    let options = || MySqlStore::options().sweep_interval(None);
    let store = options().limits(Limits::NONE).connect(&server.url("app")).await.unwrap();
    let record = stored(&store, &[("a", b"1")]).await;
    let patch = Patch::of(vec![FieldOp::new("a", Op::set(vec![b'1'; 3 << 20]))]);
    let error = store.apply(record.id, 1, &patch, None).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Full);
    assert_eq!(found(&store, &record).await.fields.get("a"), Some(&b"1"[..]));
    // Such limits are refused where they are stated.
    let limits = Limits { field: 1 << 20, record: 2 << 20 };
    let error = options().limits(limits).connect(&server.url("app")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config);
}
