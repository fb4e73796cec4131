//! A Lambda runtime in Rust that uses only the standard library. `function.rs` is the handler.

mod function;
mod runtime;

fn main() {
    runtime::run(function::initialize, function::handle);
}
