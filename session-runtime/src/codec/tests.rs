//! Every encoded value decodes as the same value, or is rejected.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Debug;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

fn encoded<T: FieldType>(value: &T) -> Result<String, String> {
    let bytes = Json::<T>::CODEC.bytes_of(value).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

fn decoded<T: FieldType>(json: &str) -> Result<T, CodecError> {
    (Json::<T>::CODEC.decode)(json.as_bytes()).map(|value| *value.downcast().unwrap())
}

/// Asserts that a value survives encoding, or is rejected.
#[track_caller]
fn comes_back<T: FieldType + PartialEq + Debug>(value: &T) {
    if let Ok(json) = encoded(value) {
        assert_eq!(decoded::<T>(&json).ok().as_ref(), Some(value), "{json}");
    }
}

#[test]
fn maps_are_compared_as_values_and_everything_else_as_bytes() {
    assert!(same_value(br#"{"a":1,"b":[2]}"#, br#"{"b":[2],"a":1}"#));
    assert!(!same_value(br#"{"a":1,"b":2}"#, br#"{"a":2,"b":1}"#));
    assert!(!same_value(b"[1,2]", b"[2,1]"));
    assert!(!same_value(b"1", b"2"));
}

#[test]
fn numbers_that_no_float_can_tell_apart_are_not_the_same() {
    let of = |last: &str| format!(r#"{{"id":34028236692093846346337460743176821145{last}}}"#);
    assert!(!same_value(of("5").as_bytes(), of("4").as_bytes()));
}

#[test]
fn a_value_survives_the_codec() {
    assert_eq!(encoded(&vec!["pen".to_owned()]).unwrap(), r#"["pen"]"#);
    assert_eq!(decoded::<Vec<String>>(r#"["pen"]"#).unwrap(), ["pen"]);
    assert!((Json::<Vec<String>>::CODEC.encode)(&1_u8, &mut Vec::new()).is_err());
}

proptest! {
    #[test]
    fn every_finite_float_comes_back_bit_for_bit_and_no_other_is_stored(
        double in any::<u64>(),
        single in any::<u32>(),
    ) {
        let (double, single) = (f64::from_bits(double), f32::from_bits(single));
        prop_assert_eq!(encoded(&double).is_ok(), double.is_finite());
        prop_assert_eq!(encoded(&single).is_ok(), single.is_finite());
        if let (Ok(a), Ok(b)) = (encoded(&double), encoded(&single)) {
            prop_assert_eq!(decoded::<f64>(&a).unwrap().to_bits(), double.to_bits());
            prop_assert_eq!(decoded::<f32>(&b).unwrap().to_bits(), single.to_bits());
        }
    }
}

#[test]
fn floats_at_the_edges_come_back() {
    for float in [9_007_199_254_740_991.0, f64::MAX, f64::MIN_POSITIVE, 5e-324, -0.0, 0.1, 1e23] {
        let back = decoded::<f64>(&encoded(&float).unwrap()).unwrap();
        assert_eq!(back.to_bits(), float.to_bits(), "{float:e}");
    }
}

/// Every shape that JSON can represent, and some that it cannot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    Float(f64),
    Single(f32),
    Nothing(Option<()>),
    Perhaps(Option<Option<bool>>),
    Floats(Vec<Option<f64>>),
    Named { width: Option<f64>, inner: Option<Box<Shape>> },
    Pair(Option<Marker>, Option<Newtype>),
    Keyed(BTreeMap<String, Option<Shape>>),
    Numbered(BTreeMap<i64, Shape>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Marker;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(Option<u8>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Float(Option<f64>),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Measured { value: f64, more: Option<Newtype> },
}

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)]
}

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Unit),
        float().prop_map(Shape::Float),
        any::<f32>().prop_map(Shape::Single),
        any::<Option<()>>().prop_map(Shape::Nothing),
        any::<Option<Option<bool>>>().prop_map(Shape::Perhaps),
        prop::collection::vec(prop::option::of(float()), 0..3).prop_map(Shape::Floats),
        (any::<bool>(), any::<Option<Option<u8>>>())
            .prop_map(|(marked, new)| { Shape::Pair(marked.then_some(Marker), new.map(Newtype)) }),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        let keyed = prop::collection::btree_map("[a-c]", prop::option::of(inner.clone()), 0..3);
        prop_oneof![
            (prop::option::of(float()), prop::option::of(inner.clone()))
                .prop_map(|(width, inner)| Shape::Named { width, inner: inner.map(Box::new) }),
            keyed.prop_map(Shape::Keyed),
            prop::collection::btree_map(any::<i64>(), inner, 0..3).prop_map(Shape::Numbered),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_stored_comes_back_whatever_the_type(
        shape in shape(),
        float in float(),
        maybe in prop::option::of(float()),
        new in any::<Option<Option<u8>>>(),
    ) {
        comes_back(&shape);
        comes_back(&Some(shape));
        comes_back(&Untagged::Float(maybe));
        comes_back(&Tagged::Measured { value: float, more: new.map(Newtype) });
        comes_back(&new.map(Newtype));
        comes_back(&(maybe, float, [maybe]));
    }
}

#[test]
fn what_json_cannot_say_is_refused_and_said() {
    let of = |value: Result<String, String>| value.unwrap_err();
    assert!(of(encoded(&f64::NAN)).contains("not finite"));
    assert!(of(encoded(&Some(f64::NAN))).contains("not finite"));
    assert!(of(encoded(&vec![f32::INFINITY])).contains("not finite"));
    assert!(of(encoded(&Some(()))).contains("`Some` of nothing"));
    assert!(of(encoded(&Some(None::<u32>))).contains("`Some` of nothing"));
    assert!(of(encoded(&Some(Newtype(None)))).contains("`Some` of nothing"));
    assert_eq!(encoded(&(None::<u8>, (), Some(1))).unwrap(), "[null,null,1]");
    assert!(inner_to_json(&()).is_err(), "a principal that is `null` is nobody");
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Nested {
    Leaf,
    In(Box<Nested>),
    List(Vec<Nested>),
    Named { inner: Box<Nested> },
    Both(Box<Nested>, ()),
}

#[test]
fn nesting_is_stored_as_deep_as_it_is_read_and_no_deeper() {
    type Wrap = fn(Nested) -> Nested;
    let wraps: [(usize, Wrap); 4] = [
        (1, |inner| Nested::In(inner.into())),
        (2, |inner| Nested::List(vec![inner])),
        (2, |inner| Nested::Named { inner: inner.into() }),
        (2, |inner| Nested::Both(inner.into(), ())),
    ];
    for (levels, wrap) in wraps {
        for depth in 0..=130 / levels {
            let value = (0..depth).fold(Nested::Leaf, |inner, _| wrap(inner));
            let stored = encoded(&value);
            assert_eq!(stored.is_ok(), depth * levels < 128, "{depth} times {levels} levels");
            match stored {
                Ok(json) => assert_eq!(decoded::<Nested>(&json).unwrap(), value),
                Err(error) => assert!(error.contains("nested deeper"), "{error}"),
            }
        }
    }
}

#[test]
fn a_value_with_a_set_has_several_texts_and_others_have_one() {
    let sets: HashSet<u8> = [1, 2].into();
    let json = encoded(&sets).unwrap();
    assert!(!Json::<HashSet<u8>>::CODEC.has_one_text(json.as_bytes()), "{json}");
    let map: HashMap<u8, [u8; 2]> = (0..30).map(|key| (key, [key, 0])).collect();
    let json = encoded(&map).unwrap();
    assert!(Json::<HashMap<u8, [u8; 2]>>::CODEC.has_one_text(json.as_bytes()));
    assert!(!Json::<u8>::CODEC.has_one_text(b"300"), "it does not come back at all");
}
