use proptest::prelude::*;
use serde_json::json;

use super::*;

fn filter(value: Value) -> Filter {
    Filter::read(value.clone(), "filters").unwrap_or_else(|error| panic!("{value}: {error}"))
}

fn attributes(value: Value) -> Attributes {
    Attributes::read(value, "attributes").expect("attributes")
}

#[test]
fn comparisons_hold_of_what_they_say() {
    let file =
        attributes(json!({"lang": "pt", "year": 2024, "rate": 1.5, "public": true, "day": "2024-05-01"}));
    for (kind, key, value, holds) in [
        ("eq", "lang", json!("pt"), true),
        ("eq", "lang", json!("PT"), false),
        ("eq", "year", json!(2024.0), true),
        ("eq", "year", json!("2024"), false),
        ("eq", "public", json!(true), true),
        ("eq", "public", json!(1), false),
        ("eq", "absent", json!("pt"), false),
        ("ne", "lang", json!("en"), true),
        ("ne", "lang", json!("pt"), false),
        ("ne", "year", json!("2024"), true),
        ("ne", "absent", json!("pt"), true),
        ("gt", "year", json!(2023), true),
        ("gt", "year", json!(2024), false),
        ("gte", "year", json!(2024), true),
        ("lt", "rate", json!(2), true),
        ("lte", "rate", json!(1.5), true),
        ("gte", "day", json!("2024-04-30"), true),
        ("lt", "day", json!("2024-04-30"), false),
        ("gt", "day", json!(0), false),
        ("lt", "year", json!("9999"), false),
        ("gte", "public", json!(true), false),
        ("lt", "absent", json!(1), false),
        ("in", "lang", json!(["en", "pt"]), true),
        ("in", "lang", json!(["en"]), false),
        ("in", "lang", json!([]), false),
        ("in", "year", json!(["2024", 2024]), true),
        ("in", "absent", json!(["en"]), false),
        ("nin", "lang", json!(["en"]), true),
        ("nin", "lang", json!(["pt"]), false),
        ("nin", "lang", json!([]), true),
        ("nin", "absent", json!(["en"]), true),
    ] {
        let text = json!({"type": kind, "key": key, "value": value});
        assert_eq!(filter(text.clone()).matches(&file), holds, "{text}");
    }
    let pt = json!({"type": "eq", "key": "lang", "value": "pt"});
    let old = json!({"type": "lt", "key": "year", "value": 2000});
    for (kind, filters, holds) in [
        ("and", json!([pt, old]), false),
        ("or", json!([old, pt]), true),
        ("and", json!([pt, {"type": "or", "filters": [old, pt]}]), true),
        ("and", json!([]), true),
        ("or", json!([]), false),
    ] {
        assert_eq!(
            filter(json!({"type": kind, "filters": filters})).matches(&file),
            holds,
            "{kind} {filters}"
        );
    }
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(
        json!({"type": "eq", "key": "k", "value": 1}),
        |inner, _| json!({"type": "and", "filters": [inner]}),
    )
}

#[test]
fn what_cannot_be_followed_is_named() {
    let comparison = json!({"type": "eq", "key": "k", "value": 1});
    let many = |n: usize| json!({"type": "or", "filters": vec![comparison.clone(); n]});
    for (value, param) in [
        (json!("lang = pt"), "filters"),
        (json!([]), "filters"),
        (json!({}), "filters.type"),
        (json!({"type": "like", "key": "k", "value": "x"}), "filters.type"),
        (json!({"type": 7, "key": "k", "value": "x"}), "filters.type"),
        (json!({"type": "EQ", "key": "k", "value": "x"}), "filters.type"),
        (json!({"type": "eq", "value": "x"}), "filters.key"),
        (json!({"type": "eq", "key": 1, "value": "x"}), "filters.key"),
        (json!({"type": "eq", "key": "k".repeat(65), "value": "x"}), "filters.key"),
        (json!({"type": "eq", "key": "k"}), "filters.value"),
        (json!({"type": "eq", "key": "k", "value": null}), "filters.value"),
        (json!({"type": "eq", "key": "k", "value": ["x"]}), "filters.value"),
        (json!({"type": "eq", "key": "k", "value": {}}), "filters.value"),
        (json!({"type": "in", "key": "k", "value": "x"}), "filters.value"),
        (json!({"type": "in", "key": "k", "value": ["x", null]}), "filters.value[1]"),
        (json!({"type": "in", "key": "k", "value": vec![1; 257]}), "filters.value"),
        (json!({"type": "eq", "key": "k", "value": "x", "filters": []}), "filters.filters"),
        (json!({"type": "and"}), "filters.filters"),
        (json!({"type": "and", "filters": {}}), "filters.filters"),
        (json!({"type": "and", "filters": [comparison, {"type": "x"}]}), "filters.filters[1].type"),
        (json!({"type": "not", "filters": []}), "filters.type"),
        (many(129), "filters.filters"),
        (json!({"type": "and", "filters": [many(64), many(65)]}), "filters.filters[1].filters[64]"),
    ] {
        let error = Filter::read(value.clone(), "filters").expect_err(&value.to_string());
        assert_eq!(error.param, param, "{value}: {error}");
    }
    assert!(Filter::read(nested(8), "filters").is_ok());
    let error = Filter::read(nested(9), "filters").expect_err("too deep");
    assert!(error.message.contains("too deeply"), "{error}");
    assert!(Filter::read(many(128), "filters").is_ok());
}

fn any_value() -> impl Strategy<Value = AttributeValue> {
    prop_oneof![
        any::<bool>().prop_map(AttributeValue::Bool),
        (-3i64..3).prop_map(|n| AttributeValue::Number(n.into())),
        (-6i64..6)
            .prop_map(|n| json!(n as f64 / 2.0))
            .prop_map(|n| AttributeValue::read(n, "", 0).expect("a number")),
        "[ab]{0,2}".prop_map(AttributeValue::Text),
    ]
}

fn any_attributes() -> impl Strategy<Value = Attributes> {
    proptest::collection::btree_map("[xyz]", any_value(), 0..3).prop_map(Attributes)
}

/// A filter, and the one that holds of exactly what the first does not. Orders have none: they hold of neither where
/// types differ.
fn filter_and_opposite() -> impl Strategy<Value = (Filter, Filter)> {
    let compare = ("[xyz]", any_value()).prop_map(|(key, value)| {
        let of = |comparison| Filter::Compare { key: key.clone(), comparison, value: value.clone() };
        (of(Comparison::Eq), of(Comparison::Ne))
    });
    let among = ("[xyz]", proptest::collection::vec(any_value(), 0..4), any::<bool>()).prop_map(
        |(key, values, negated)| {
            let of = |negated| Filter::Among { key: key.clone(), values: values.clone(), negated };
            (of(negated), of(!negated))
        },
    );
    prop_oneof![compare, among].prop_recursive(3, 16, 4, |inner| {
        (proptest::collection::vec(inner, 0..4), any::<bool>()).prop_map(|(pairs, and)| {
            let (these, others): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            if and {
                (Filter::And(these), Filter::Or(others))
            } else {
                (Filter::Or(these), Filter::And(others))
            }
        })
    })
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        proptest::sample::select(TYPES.to_vec()).prop_map(Value::from),
        "\\PC{0,5}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 4, |inner| {
        let key = prop_oneof![Just("type"), Just("key"), Just("value"), Just("filters"), Just("other")];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..4).prop_map(|entries| Value::Object(
                entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
            )),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn of_a_filter_and_its_opposite_one_holds((this, other) in filter_and_opposite(), file in any_attributes()) {
        prop_assert_ne!(this.matches(&file), other.matches(&file));
    }

    #[test]
    fn of_two_values_of_one_kind_exactly_one_order_holds(a in any_value(), b in any_value()) {
        let holds = |comparison: Comparison| comparison.holds(&a, &b);
        let orders = [Comparison::Lt, Comparison::Eq, Comparison::Gt].into_iter().filter(|c| holds(*c)).count();
        let ordered = a.order(&b).is_some();
        prop_assert_eq!(orders == 1, ordered || a.equals(&b));
        prop_assert_eq!(holds(Comparison::Lte), ordered && (holds(Comparison::Lt) || holds(Comparison::Eq)));
        prop_assert_eq!(holds(Comparison::Gte), ordered && (holds(Comparison::Gt) || holds(Comparison::Eq)));
        prop_assert_ne!(holds(Comparison::Eq), holds(Comparison::Ne));
    }

    #[test]
    fn any_json_is_read_or_refused(value in any_json(), file in any_attributes()) {
        match Filter::read(value, "filters") {
            Ok(filter) => prop_assert!(matches!(filter.matches(&file), true | false)),
            Err(error) => prop_assert!(error.param.starts_with("filters"), "{}", error.param),
        }
    }
}
