//! The response bodies that the layer can create itself.

/// A body that can be created from a text, with which the layer answers a failed commit.
/// Implemented for every type that is `From<&'static str>`, such as axum's body.
#[diagnostic::on_unimplemented(
    message = "the session layer cannot answer a failure with a body of the type `{Self}`",
    label = "the services inside of the session layer answer with this body",
    note = "in a `ServiceBuilder`, write layers that change the body's type, such as `CompressionLayer` and `TraceLayer`, before the session layer; in `Router::layer` calls of their own they stand anywhere"
)]
pub trait StaticBody: From<&'static str> {}

#[diagnostic::do_not_recommend]
impl<B: From<&'static str>> StaticBody for B {}
