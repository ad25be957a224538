//! What a response's body must be for the layer to answer in a handler's place.

/// A body that can hold a text: the layer answers a failed commit with one. Every body that
/// is made from a `&'static str` is, such as axum's.
#[diagnostic::on_unimplemented(
    message = "the session layer cannot answer a failure with a body of the type `{Self}`",
    label = "the services inside of the session layer answer with this body",
    note = "in a `ServiceBuilder`, write layers that change the body's type, such as `CompressionLayer` and `TraceLayer`, before the session layer; in `Router::layer` calls of their own they stand anywhere"
)]
pub trait AnswerBody: From<&'static str> {}

#[diagnostic::do_not_recommend]
impl<B: From<&'static str>> AnswerBody for B {}
