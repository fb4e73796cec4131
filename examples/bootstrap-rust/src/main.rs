//! A Lambda runtime in Rust, of the standard library alone. `function.rs` is the handler.

mod function;
mod runtime;

fn main() {
    runtime::run(function::initialize, function::handle);
}
