//! The model of a schema, which borrows the syn input.

use proc_macro2::{Ident, Span, TokenStream};
use syn::ext::IdentExt;
use syn::{Attribute, Data, DataStruct, DeriveInput, Fields, Generics, LitStr, Type};

use crate::attr::{FieldOptions, SchemaOptions};
use crate::diagnostics::Diagnostics;
use crate::names::{self, Accessor};
use crate::shape::{self, Shape};
use crate::spans;

/// A struct with the derive.
pub(crate) struct Schema<'a> {
    pub(crate) input: &'a DeriveInput,
    /// The struct's name, as a generated token.
    pub(crate) ident: Ident,
    /// Without parameters if there are no errors.
    pub(crate) generics: Generics,
    /// The struct's visibility, as generated tokens.
    pub(crate) vis: TokenStream,
    /// The name of the generated handle.
    pub(crate) handle: Ident,
    pub(crate) options: SchemaOptions,
    /// Empty for everything that is not a struct with named fields.
    pub(crate) fields: Vec<Field<'a>>,
}

/// A field of a schema.
pub(crate) struct Field<'a> {
    pub(crate) ident: &'a Ident,
    /// The identifier, as a generated token.
    pub(crate) member: Ident,
    /// The identifier without `r#`.
    pub(crate) name: String,
    /// The stored name, and the span where it is written.
    pub(crate) stored: (String, Span),
    /// The constant that holds its key.
    pub(crate) key: Ident,
    pub(crate) accessors: Vec<Accessor>,
    pub(crate) ty: &'a Type,
    /// The type as generated tokens.
    pub(crate) repeated_ty: TokenStream,
    /// The type parameter of its key, as generated tokens; for a nonce, the type of one
    /// value.
    pub(crate) key_ty: TokenStream,
    /// For a keyed nonce, the type of the map's keys.
    pub(crate) map_key: Option<&'a Type>,
    /// For a keyed nonce, the shape of one value.
    pub(crate) shape: Shape<'a>,
    pub(crate) policy: Policy,
    pub(crate) options: FieldOptions,
    /// Its `doc` attributes, as generated tokens.
    pub(crate) docs: TokenStream,
    /// Its `deprecated` attribute, as generated tokens.
    pub(crate) deprecated: TokenStream,
}

/// The purpose of a field. If several mutually exclusive ones are given, the first in
/// this order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Policy {
    Skip,
    Counter,
    Flash,
    Nonce,
    KeyedNonce,
    Principal,
    WriteOnce,
    Value,
}

impl<'a> Schema<'a> {
    pub(crate) fn read(input: &'a DeriveInput, diagnostics: &Diagnostics) -> Self {
        let options = SchemaOptions::read(&input.attrs, diagnostics);
        let fields = match &input.data {
            Data::Struct(DataStruct { fields: Fields::Named(fields), .. }) => Some(&fields.named),
            _ => None,
        };
        let fields = fields.into_iter().flatten();
        Self {
            input,
            ident: names::generated(&input.ident),
            generics: generics(input),
            vis: spans::repeat(&input.vis),
            handle: match &options.handle {
                Some(handle) if *handle != input.ident => handle.clone(),
                _ => names::handle(&input.ident),
            },
            options,
            fields: fields.filter_map(|field| Field::read(field, diagnostics)).collect(),
        }
    }

    /// Returns the fields that have a key, in the order of their index.
    pub(crate) fn stored(&self) -> impl Iterator<Item = &Field<'a>> {
        self.fields.iter().filter(|field| field.policy != Policy::Skip)
    }

    /// Returns the stored form of `name`, including the namespace.
    pub(crate) fn full_name(&self, name: &str) -> String {
        match self.namespace().as_str() {
            "" => name.to_owned(),
            namespace => format!("{namespace}:{name}"),
        }
    }

    /// Returns the namespace; empty for the default one.
    pub(crate) fn namespace(&self) -> String {
        self.options.namespace.as_ref().map(LitStr::value).unwrap_or_default()
    }

    pub(crate) fn principal(&self) -> Option<&Field<'a>> {
        self.fields.iter().find(|field| field.policy == Policy::Principal)
    }
}

impl<'a> Field<'a> {
    fn read(field: &'a syn::Field, diagnostics: &Diagnostics) -> Option<Self> {
        let ident = field.ident.as_ref()?;
        let options = FieldOptions::read(&field.attrs, diagnostics);
        let name = ident.unraw().to_string();
        let stored = match &options.rename {
            Some(rename) => (rename.value(), rename.span()),
            None => (name.clone(), ident.span()),
        };
        let policy = Policy::of(&options);
        let (map_key, shape) = match shape::map(&field.ty) {
            Some((key, value)) if policy == Policy::KeyedNonce => (Some(key), Shape::whole(value)),
            _ => (None, Shape::of(&field.ty, options.copy.is_some())),
        };
        let attributes = |name: &str| -> TokenStream {
            let named = field.attrs.iter().filter(|attr| attr.path().is_ident(name));
            named.map(|attr: &Attribute| spans::repeat(attr)).collect()
        };
        Some(Self {
            ident,
            member: names::generated(ident),
            stored,
            key: names::key(&name, ident.span()),
            accessors: names::accessors(ident, policy, &shape),
            ty: &field.ty,
            repeated_ty: spans::repeat(&field.ty),
            key_ty: match policy {
                Policy::Nonce | Policy::KeyedNonce => spans::repeat(shape.inner),
                _ => spans::repeat(&field.ty),
            },
            map_key,
            docs: attributes("doc"),
            deprecated: attributes("deprecated"),
            name,
            shape,
            policy,
            options,
        })
    }

    /// Returns whether `None` is the default, so that nothing needs to be stored for it.
    pub(crate) fn is_absent_when_none(&self) -> bool {
        use crate::attr::DefaultValue::OfType;
        let default = self.options.default.as_ref();
        self.shape.optional
            && self.policy != Policy::Nonce
            && default.is_none_or(|given| matches!(given.value, OfType))
    }
}

/// Generics are rejected, but the fallback keeps them, so that uses of the struct
/// elsewhere do not cause further errors.
fn generics(input: &DeriveInput) -> Generics {
    let mut generics = input.generics.clone();
    if !generics.params.is_empty() {
        let ident = &input.ident;
        let (_, arguments, _) = input.generics.split_for_impl();
        let bound = syn::parse_quote! {
            #ident #arguments: ::core::marker::Send + ::core::marker::Sync + 'static
        };
        generics.make_where_clause().predicates.push(bound);
    }
    generics
}

impl Policy {
    fn of(options: &FieldOptions) -> Self {
        let nonce = options.nonce.as_ref().map(|given| given.span);
        let keyed = options.nonce.as_ref().is_some_and(|given| given.value);
        let of = [
            (options.skip, Self::Skip),
            (options.counter, Self::Counter),
            (options.flash, Self::Flash),
            (nonce, if keyed { Self::KeyedNonce } else { Self::Nonce }),
            (options.principal, Self::Principal),
            (options.write_once, Self::WriteOnce),
        ];
        let given = of.into_iter().find(|(given, _)| given.is_some());
        given.map_or(Self::Value, |(_, policy)| policy)
    }
}
