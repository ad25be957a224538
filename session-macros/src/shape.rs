//! The syntactic shape of a field's type.

use syn::{GenericArgument, Path, PathArguments, PathSegment, Type, TypePath};

/// The syntactic shape of a field's type. Types are recognized as written; a macro
/// cannot resolve aliases.
pub(crate) struct Shape<'a> {
    /// Whether the type is `Option<inner>`.
    pub(crate) optional: bool,
    pub(crate) inner: &'a Type,
    pub(crate) read: Read<'a>,
}

/// How the getter returns the inner type.
pub(crate) enum Read<'a> {
    /// By value.
    Copied,
    /// As `&str`.
    Text,
    /// As `&[T]`.
    Slice(&'a Type),
    /// By reference.
    Reference,
}

impl<'a> Shape<'a> {
    pub(crate) fn of(ty: &'a Type, copy: bool) -> Self {
        let (optional, inner) = match argument(ty, "Option", "option") {
            Some(inner) => (true, inner),
            None => (false, ty),
        };
        Self { optional, inner, read: Read::of(inner, copy) }
    }

    /// Returns the shape of a type that is set and consumed as a whole.
    pub(crate) fn whole(ty: &'a Type) -> Self {
        Self { optional: false, inner: ty, read: Read::of(ty, false) }
    }
}

impl<'a> Read<'a> {
    fn of(ty: &'a Type, copy: bool) -> Self {
        if copy || is_primitive(ty) {
            Self::Copied
        } else if is_plain(ty, "String", "string") {
            Self::Text
        } else if let Some(item) = argument(ty, "Vec", "vec") {
            Self::Slice(item)
        } else {
            Self::Reference
        }
    }
}

/// Returns `String` and `T` of `HashMap<String, T>` or `BTreeMap<String, T>`.
pub(crate) fn map(ty: &Type) -> Option<(&Type, &Type)> {
    let (last, modules) = split(path_of(ty)?)?;
    let module = match last.ident.to_string().as_str() {
        "HashMap" => "hash_map",
        "BTreeMap" => "btree_map",
        _ => return None,
    };
    let modules = match modules.as_slice() {
        [outer @ .., inner] if inner == module => outer,
        modules => modules,
    };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    let mut types = arguments.args.iter().map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    match (types.next()??, types.next()??, types.next()) {
        (key, value, None)
            if is_plain(key, "String", "string") && is_std(modules, "collections") =>
        {
            Some((key, value))
        }
        _ => None,
    }
}

/// Returns `T` of `name<T>`, also as `module::name<T>` or `std::module::name<T>`.
fn argument<'a>(ty: &'a Type, name: &str, module: &str) -> Option<&'a Type> {
    let path = path_of(ty)?;
    let (last, modules) = split(path)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    match arguments.args.first() {
        Some(GenericArgument::Type(inner))
            if arguments.args.len() == 1 && last.ident == name && is_std(&modules, module) =>
        {
            Some(inner)
        }
        _ => None,
    }
}

/// Returns `V` of any `Name<K, V>`.
pub(crate) fn value(ty: &Type) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &split(path_of(ty)?)?.0.arguments else {
        return None;
    };
    match arguments.args.iter().nth(1)? {
        GenericArgument::Type(value) => Some(value),
        _ => None,
    }
}

/// Finds a type with interior mutability in `ty`. Returns it and the type to write instead.
pub(crate) fn changed_when_shared(ty: &Type) -> Option<(&Type, String)> {
    const WRAPPERS: &[&str] =
        &["Mutex", "RwLock", "Cell", "RefCell", "OnceCell", "OnceLock", "UnsafeCell"];
    const CRATES: &[&str] = &["std", "core", "parking_lot", "portable_atomic", "tokio"];
    match ty {
        Type::Array(array) => return changed_when_shared(&array.elem),
        Type::Slice(slice) => return changed_when_shared(&slice.elem),
        Type::Reference(reference) => return changed_when_shared(&reference.elem),
        Type::Tuple(tuple) => return tuple.elems.iter().find_map(changed_when_shared),
        _ => {}
    }
    let (last, modules) = split(path_of(ty)?)?;
    let known = match modules.as_slice() {
        [] => true,
        [first, ..] => CRATES.contains(&&**first) || matches!(&**first, "sync" | "atomic" | "cell"),
    };
    let name = last.ident.to_string();
    let arguments: Vec<&Type> = match &last.arguments {
        PathArguments::AngleBracketed(arguments) => arguments.args.iter().collect::<Vec<_>>(),
        _ => Vec::new(),
    }
    .into_iter()
    .filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
    .collect();
    if let ([inner], true) = (&arguments[..], known && WRAPPERS.contains(&&*name)) {
        return Some((ty, crate::names::type_name(inner)));
    }
    let plain = name.strip_prefix("Atomic").map(str::to_lowercase);
    match plain.filter(|plain| known && PRIMITIVES.contains(&&**plain)) {
        Some(plain) => Some((ty, plain)),
        None => arguments.into_iter().find_map(changed_when_shared),
    }
}

fn is_plain(ty: &Type, name: &str, module: &str) -> bool {
    path_of(ty).and_then(split).is_some_and(|(last, modules)| {
        last.ident == name && last.arguments.is_none() && is_std(&modules, module)
    })
}

const PRIMITIVES: &[&str] = &[
    "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f32",
    "f64", "bool", "char",
];

pub(crate) fn is_primitive(ty: &Type) -> bool {
    is_one_of(ty, PRIMITIVES)
}

/// Returns whether the type is written as one of these primitives.
pub(crate) fn is_one_of(ty: &Type, primitives: &[&str]) -> bool {
    primitives.iter().any(|name| is_plain(ty, name, "primitive"))
}

fn path_of(ty: &Type) -> Option<&Path> {
    match ty {
        // A `$ty:ty` of a user's macro_rules becomes an invisible group.
        Type::Group(group) => path_of(&group.elem),
        Type::Paren(paren) => path_of(&paren.elem),
        Type::Path(TypePath { qself: None, path, .. }) => Some(path),
        _ => None,
    }
}

fn split(path: &Path) -> Option<(&PathSegment, Vec<String>)> {
    let mut segments = path.segments.iter();
    let last = segments.next_back()?;
    Some((last, segments.map(|segment| segment.ident.to_string()).collect()))
}

fn is_std(modules: &[String], module: &str) -> bool {
    match modules {
        [] => true,
        [only] => only == module,
        [root, inner] => matches!(root.as_str(), "std" | "core" | "alloc") && inner == module,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(ty: &str) -> (bool, &'static str) {
        let ty: Type = syn::parse_str(ty).unwrap();
        let shape = Shape::of(&ty, false);
        let read = match shape.read {
            Read::Copied => "copied",
            Read::Text => "text",
            Read::Slice(_) => "slice",
            Read::Reference => "reference",
        };
        (shape.optional, read)
    }

    #[test]
    fn std_types_are_recognised_however_they_are_written() {
        for option in ["Option", "option::Option", "std::option::Option", "::core::option::Option"]
        {
            assert_eq!(shape(&format!("{option}<u64>")), (true, "copied"));
        }
        assert_eq!(shape("::alloc::string::String"), (false, "text"));
        assert_eq!(shape("Option<std::vec::Vec<u8>>"), (true, "slice"));
        assert_eq!(shape("core::primitive::bool"), (false, "copied"));
    }

    #[test]
    fn maps_of_named_values_are_recognised_however_they_are_written() {
        let value = |ty: &str| {
            let ty: Type = syn::parse_str(ty).unwrap();
            map(&ty).map(|(_, value)| crate::names::type_name(value))
        };
        for map in [
            "HashMap<String, Option<u8>>",
            "std::collections::HashMap<std::string::String, Option<u8>>",
            "::std::collections::hash_map::HashMap<String, Option<u8>>",
            "btree_map::BTreeMap<String, Option<u8>>",
            "alloc::collections::BTreeMap<String, Option<u8>>",
        ] {
            assert_eq!(value(map).as_deref(), Some("Option<u8>"), "{map}");
        }
        for other in [
            "HashMap<u8, u8>",
            "HashMap<String, u8, Fast>",
            "HashMap<String>",
            "mine::HashMap<String, u8>",
            "hash_map::BTreeMap<String, u8>",
            "IndexMap<String, u8>",
            "HashMap",
        ] {
            assert_eq!(value(other), None, "{other}");
        }
    }

    #[test]
    fn what_changes_when_shared_is_found_wherever_it_is_written() {
        let instead = |ty: &str| {
            let ty: Type = syn::parse_str(ty).unwrap();
            changed_when_shared(&ty).map(|(_, plain)| plain)
        };
        for (ty, plain) in [
            ("AtomicU64", "u64"),
            ("std::sync::atomic::AtomicBool", "bool"),
            ("Option<Arc<std::sync::Mutex<Vec<u8>>>>", "Vec<u8>"),
            ("HashMap<String, RwLock<u8>>", "u8"),
            ("[std::cell::Cell<u8>; 2]", "u8"),
            ("(u8, tokio::sync::OnceCell<String>)", "String"),
        ] {
            assert_eq!(instead(ty).as_deref(), Some(plain), "{ty}");
        }
        for other in ["Cell", "board::Cell<u8>", "crate::Mutex<u8>", "AtomicCounter", "Vec<u8>"] {
            assert_eq!(instead(other), None, "{other}");
        }
    }

    #[test]
    fn look_alikes_are_read_by_reference() {
        for other in ["mine::Option<u64>", "a::b::String", "Vec<u8, A>", "[u8; 2]", "String<u8>"] {
            assert_eq!(shape(other), (false, "reference"), "{other}");
        }
    }
}
